// Who looks at the page: asked at the start, after every request that was refused for want of a login, and when the
// live link is closed because of it.

import { changePassword, claimGateway, fetchSession, logIn, logOut, type Role, type Session } from "./api";

/** How often the gateway is asked again while it has not answered once. */
const RETRY_MS = 2_000;
const RANKS: Record<Role, number> = { viewer: 0, operator: 1, engineer: 2, admin: 3 };

class Account {
  /** Null until the gateway has answered. */
  session = $state.raw<Session | null>(null);
  /** The reader asked for the door although the page is open to them. */
  wanted = $state(false);

  /** Nobody sees more than the door. */
  readonly shut = $derived(this.session !== null && this.session.reading === "login" && this.session.user === null);

  /** Asks until there has been an answer. */
  async start(): Promise<void> {
    await this.read();
    if (this.session === null) setTimeout(() => void this.start(), RETRY_MS);
  }

  may(role: Role): boolean {
    const user = this.session?.user;
    return user ? RANKS[user.role] >= RANKS[role] : false;
  }

  async read(): Promise<void> {
    try {
      this.session = await fetchSession();
    } catch {
      // Out of reach: the banner says so, and the next answer that is refused asks again.
    }
  }

  async logIn(name: string, password: string): Promise<void> {
    await logIn(name, password);
    await this.entered();
  }

  async claim(code: string, name: string, password: string): Promise<void> {
    await claimGateway(code, name, password);
    await this.entered();
  }

  async logOut(): Promise<void> {
    await logOut();
    await this.read();
  }

  changePassword(old: string, fresh: string): Promise<void> {
    return changePassword(old, fresh);
  }

  private async entered(): Promise<void> {
    this.wanted = false;
    await this.read();
  }
}

export const account = new Account();
