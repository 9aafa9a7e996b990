import { mount } from "svelte";
import App from "./App.svelte";
import { account } from "./account.svelte";
import { onRefusal } from "./api";
import { gateway } from "./gateway.svelte";
import { route } from "./route.svelte";
import { theme } from "./theme.svelte";
import { language } from "./words/language.svelte";
import "./style/base.css";

theme.start();
route.start();
gateway.start();
onRefusal(() => void account.read());
await Promise.all([language.start(), account.start()]);

const target = document.getElementById("app");
if (target) mount(App, { target });
