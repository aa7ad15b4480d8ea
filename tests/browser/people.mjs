// People in real browser pages: what they do, what they see on the page, and what really arrives of the others.
import { join } from "node:path";
import { chromium } from "playwright-core";
import { probe } from "./probe.mjs";
import { outputFolder, until } from "./until.mjs";

/** All pages share one browser: a process each would starve a small machine. */
export async function openBrowser() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    ignoreDefaultArgs: ["--mute-audio"],
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream=fps=15",
      "--auto-select-desktop-capture-source=Entire screen",
      "--allow-loopback-in-peer-connection",
      "--autoplay-policy=no-user-gesture-required",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  return browser;
}

export const desktop = { width: 1000, height: 700 };
export const phone = { width: 360, height: 740 };

export class Person {
  /** What the page complained of: errors of scripts, refusals by the content security policy, failed requests. */
  complaints = [];

  /** Somebody whose microphone says one tone of `hz`, before a wall of `hue`, in a tab that remembers nothing yet. */
  static async withBrowser(browser, { name, hz, hue, viewport = desktop }) {
    const person = new Person();
    person.name = name;
    Object.assign(person, { hz, hue });
    person.context = await browser.newContext({
      viewport,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await person.context.addInitScript(probe, { hz, hue });
    person.page = await person.context.newPage();
    person.page.on("pageerror", (error) => person.complaints.push(String(error)));
    person.page.on("console", (message) => {
      // What livekit-client says of a socket that ended, also where it ends by a goodbye. What comes of it is seen otherwise.
      const isOfSocket = message.text().startsWith("error reading from signal stream");
      if (message.type() === "error" && !isOfSocket) person.complaints.push(message.text());
    });
    return person;
  }

  async opens(link) {
    await this.page.goto(link);
    await this.element("prejoin").waitFor();
  }

  async joins() {
    await this.element("name-input").fill(this.name);
    await this.element("join-button").click();
    await this.isInside();
  }

  isInside() {
    return this.until(async () => (await this.phase()) === "inside", "being in the class");
  }

  /** `inside`, `reconnecting`, or null where the page does not show the class. */
  async phase() {
    const view = this.element("class");
    return (await view.count()) === 0 ? null : view.getAttribute("data-phase");
  }

  element(testId) {
    return this.page.getByTestId(testId);
  }

  tileOf(other) {
    return this.element("tile").filter({ hasText: other.name });
  }

  /** Waits until the tile of somebody says so: `mic`, `camera` or `presence` has this value. */
  seesOf(other, what, value) {
    const said = () =>
      this.tileOf(other)
        .getAttribute(`data-${what}`, { timeout: 1_000 })
        .catch(() => null);
    return this.until(
      async () => (await said()) === value,
      `${what} of ${other.name} shown as ${value}`,
      said,
    );
  }

  /** Waits until exactly these people have a tile, each once. */
  seesOnly(...others) {
    const names = () => this.element("tile").locator(".pl > .cut").allInnerTexts();
    const wanted = others.map((other) => other.name).sort();
    const same = (found) =>
      found.length === wanted.length && found.sort().every((name, index) => name.startsWith(wanted[index]));
    return this.until(
      async () => same(await names()),
      `tiles of ${wanted.join(", ") || "nobody"} only`,
      names,
    );
  }

  picture(other, source = "camera") {
    return this.page.evaluate(([name, source]) => window.__probe.picture(name, source), [other.name, source]);
  }

  /** Waits until new frames of somebody's picture are decoded, and it is theirs that is shown. */
  async getsPicture(other, source = "camera") {
    const state = () => this.picture(other, source);
    let before = await state();
    await this.until(
      async () => {
        const now = await state();
        // A new connection counts from zero again.
        if (now.frames < before.frames) before = now;
        return now.frames >= before.frames + 10 && (source !== "camera" || isHue(now.hue, other.hue));
      },
      `the ${source} of ${other.name} moves`,
      async () => JSON.stringify({ before, now: await state() }),
    );
  }

  /** Waits until the loudest thing that arrives from somebody's microphone is that person's own tone. */
  async hears(other) {
    const heard = () => this.page.evaluate((name) => window.__probe.tone(name), other.name);
    const isTheirs = (hz) => hz !== null && Math.abs(hz - other.hz) < 15;
    await this.until(async () => isTheirs(await heard()), `the tone of ${other.name}, ${other.hz} Hz`, heard);
  }

  async hearsNothingFrom(other) {
    const heard = () => this.page.evaluate((name) => window.__probe.tone(name), other.name);
    await this.until(async () => (await heard()) === null, `silence from ${other.name}`, heard);
  }

  screenshot(name) {
    return this.page.screenshot({ path: join(outputFolder, `${name}.png`) });
  }

  /** As `until`, with what this person's page looked like if it never came true. */
  until(condition, what, state = () => "") {
    return until(condition, `${this.name}: ${what}`, async () => {
      const path = join(outputFolder, `failed-${this.name}.png`);
      await this.page.screenshot({ path }).catch(() => undefined);
      const complaints = this.complaints.slice(-5).join("\n");
      return `It is ${JSON.stringify(await state())}; the page is in ${path}. Its last complaints:\n${complaints}`;
    });
  }
}

/** On the colour wheel, 359 and 1 are neighbours. */
function isHue(found, wanted) {
  return found !== null && Math.abs(((found - wanted + 540) % 360) - 180) < 20;
}
