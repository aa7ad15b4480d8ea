// People whose pages are made with LiveKit's own SDK for browsers, as another product's would be: nothing of this project runs in
// them but what plays their tone and asks what arrived.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, afterEach, before, describe } from "node:test";
import { Firefox } from "./firefox.mjs";
import { guestPage } from "./guest-page.mjs";
import { Person, desktop, openBrowser } from "./people.mjs";
import { probe } from "./probe.mjs";
import { Server, accessToken } from "./server.mjs";

const sdk = new URL("node_modules/livekit-client/dist/", import.meta.url);
const scripts = ["livekit-client.umd.js", "livekit-client.e2ee.worker.js"];

/**
 * Registers `stories` twice: with Ada, Bo and Cleo in Chromium, and with Bo in Firefox. `enter` is given them, the server,
 * and the ways that there are from a sender to a receiver, before the first story. Each story has a class of its own; who joined one leaves at its end.
 */
export function withGuests(suite, enter, stories) {
  for (const home of ["Chromium", "Firefox"]) {
    describe(`with ${home}`, () => {
      let server, browser, firefox, pages;
      let people = [];

      before(async () => {
        server = await Server.start(`${suite}-${home.toLowerCase()}`);
        browser = await openBrowser();
        pages = await servePages();
        const ada = await Guest.withBrowser(browser, pages, { name: "Ada", hz: 500, hue: 205 });
        const nameOfBo = { name: "Bo", hz: 900, hue: 30 };
        if (home === "Firefox") firefox = await Firefox.open();
        const bo = await (firefox
          ? Guest.inPage(firefox, pages, nameOfBo)
          : Guest.withBrowser(browser, pages, nameOfBo));
        const cleo = await Guest.withBrowser(browser, pages, { name: "Cleo", hz: 1400, hue: 335 });
        people = [ada, bo, cleo];
        // Two Chromiums need no second way round.
        const ways = firefox
          ? [
              [bo, ada],
              [ada, bo],
            ]
          : [[ada, bo]];
        enter({ server, ada, bo, cleo, ways });
      });

      afterEach(async () => {
        for (const person of people) await person.leaves();
      });

      after(async () => {
        await firefox?.close();
        await browser?.close();
        pages?.close();
        await server?.stop();
      });

      stories(home);
    });
  }
}

let classes = 0;

/** The name of a class that was not there before. */
export const newClass = () => `class-${++classes}`;

/** Lets people join a class of their own and see each other; `how` says by name how somebody joins, as `joins` takes it. */
export async function meet(server, people, how = {}) {
  const room = newClass();
  for (const person of people) await person.joins(server, room, how[person.identity]);
  for (const person of people) await person.meets(...people.filter((other) => other !== person));
  return room;
}

/** Serves the SDK and the page that uses it, on this machine, which browsers trust with devices. */
export async function servePages() {
  const files = new Map(scripts.map((name) => [`/${name}`, readFileSync(new URL(name, sdk))]));
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (files.has(url.pathname)) {
      response.setHeader("content-type", "text/javascript");
      response.end(files.get(url.pathname));
    } else if (url.pathname === "/") {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(html(Number(url.searchParams.get("hz")), Number(url.searchParams.get("hue"))));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  return {
    url: `http://localhost:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function html(hz, hue) {
  return `<!doctype html><title>A guest</title><link rel="icon" href="data:," />
    <script src="/${scripts[0]}"></script>
    <script>(${probe})(${JSON.stringify({ hz, hue })}); (${guestPage})();</script>`;
}

export class Guest extends Person {
  static async withBrowser(browser, pages, { name, hz, hue }) {
    const context = await browser.newContext({ viewport: desktop });
    return Guest.inPage(await context.newPage(), pages, { name, hz, hue });
  }

  /** `page` is Playwright's, or anything else that can `goto`, `evaluate` and take a `screenshot`. */
  static async inPage(page, pages, { name, hz, hue }) {
    const guest = new Guest();
    Object.assign(guest, { name, hz, hue, page, identity: name.toLowerCase() });
    await page.goto(`${pages.url}?hz=${hz}&hue=${hue}`);
    return guest;
  }

  /**
   * Joins a class of the server. `video` are grants, `claims` what else the token says, `options` those of the SDK's Room,
   * `connect` those of its `connect`, `token` one that is there already, `passphrase` that of end-to-end encryption.
   */
  joins(server, room, { video = {}, claims = {}, url = server.signalUrl, ...how } = {}) {
    const grants = { roomJoin: true, room, ...video };
    const token = accessToken({ identity: this.identity, name: this.name, ...claims, video: grants });
    // `how` may bring a token of its own.
    return this.does((how) => joins(how), { url, token, ...how });
  }

  leaves() {
    return this.does(() => window.room?.disconnect());
  }

  /** Runs `action(argument)` in the page, and gives what it gives. */
  does(action, argument) {
    return this.page.evaluate(action, argument);
  }

  /** Waits until `condition(argument)`, asked in the page, is truthy, and gives what it gave. */
  eventually(condition, what, argument) {
    let last;
    return this.until(
      async () => (last = await this.page.evaluate(condition, argument)),
      what,
      () => last,
    );
  }

  /** Waits until exactly these people are there. */
  meets(...others) {
    const wanted = others.map((other) => other.identity).sort();
    return this.eventually(
      (wanted) => JSON.stringify([...room.remoteParticipants.keys()].sort()) === wanted,
      `meeting ${wanted.join(", ") || "nobody"}`,
      JSON.stringify(wanted),
    );
  }
}
