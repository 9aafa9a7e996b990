import { mount } from "svelte";
import App from "./App.svelte";
import { gateway } from "./gateway.svelte";
import { route } from "./route.svelte";
import { theme } from "./theme.svelte";
import { language } from "./words/language.svelte";
import "./style/base.css";

theme.start();
route.start();
gateway.start();
await language.start();

const target = document.getElementById("app");
if (target) mount(App, { target });
