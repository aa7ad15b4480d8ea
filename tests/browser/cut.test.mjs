// A class in real pages whose network is really cut while something happens: nobody ends up at the wrong table, no answer is lost or
// counted twice, and nothing is done with a right that was taken away. The teacher's network holds; the learners' goes through
// `Network`, which carries page, state and signalling. Their media is not cut with it: what they must not hear would reach them.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Network } from "../node/network.mjs";
import { Person, openBrowser } from "./people.mjs";
import { Server } from "./server.mjs";

const room = "physics-10";
let server, browser;
let ada, bo, cleo;

before(async () => {
  server = await Server.start("cut");
  browser = await openBrowser();
  const links = await server.createRoom(room);
  ada = await Person.withBrowser(browser, { name: "Ada", hz: 500, hue: 205 });
  bo = await Person.withBrowser(browser, { name: "Bo", hz: 900, hue: 30 });
  cleo = await Person.withBrowser(browser, {
    name: "Cleo",
    hz: 1400,
    hue: 335,
  });
  await ada.opens(links.instructor);
  await ada.joins();
  for (const learner of [bo, cleo]) {
    learner.network = await Network.to(server.httpPort);
    await learner.opens(links.learner.replace(server.url, learner.network.url.replace("ws:", "http:")));
    await learner.joins();
  }
  await ada.seesOnly(bo, cleo);
});

after(async () => {
  await browser?.close();
  for (const learner of [bo, cleo]) await learner?.network?.close();
  await server?.stop();
});

describe("answers", () => {
  it("are kept while they are chosen, sent once, counted and shared", async () => {
    await asks("Which way?", ["Up", "Down"]);
    await chooses(bo, "Up");
    await bo.element("draft-saved").waitFor();
    await bo.element("poll-send").click();
    await answerIs(bo, "Your answer is in.");
    await chooses(cleo, "Down");
    await cleo.element("poll-send").click();
    await hasAnswered("2 of 2");
    await closes();
    await ada.element("poll-publish").click();
    await shows(bo, [1, 1]);
    await shows(cleo, [1, 1]);
  });

  it("count at the close though their author is cut off, and though they are sent into nothing", async () => {
    await asks("Where to?", ["Left", "Right"]);
    await chooses(bo, "Left");
    await bo.element("draft-saved").first().waitFor();
    await isCutOff(bo);
    // Sent while nothing gets through, and back before answers are taken no more.
    await isCutOff(cleo);
    await chooses(cleo, "Right");
    await cleo.element("poll-send").click();
    await answerIs(cleo, "Sending your answer");
    cleo.network.comesBack();
    await hasAnswered("1 of 2");
    await closes();
    await shows(ada, [1, 1]);
    bo.network.comesBack();
    for (const learner of [bo, cleo]) await answerIs(learner, "Your answer is in.");
    const answers = (await server.events(room)).filter(({ type }) => type === "poll.responded");
    assert.equal(answers.length, 3, "Bo's and Cleo's first, and Cleo's second, each once");
  });

  it("that come too late are kept, and the teacher decides", async () => {
    await asks("How far?", ["Near", "Far"]);
    await isCutOff(cleo);
    await chooses(cleo, "Far");
    await cleo.element("poll-send").click();
    await closes();
    cleo.network.comesBack();
    await answerIs(cleo, "It came after closing.");
    await shows(ada, [0, 0]);
    await ada.element("admit-late").click();
    await answerIs(cleo, "Your answer is in.");
    await shows(ada, [0, 1]);
    await bothAreBack();
  });
});

describe("tables", () => {
  it("are where somebody is who was cut off while they were opened", async () => {
    await ada.element("desk-tables").click();
    await ada.element("tables-plan").click();
    await ada.element("tables-open").waitFor();
    await isCutOff(bo);
    await ada.element("tables-open").click();
    await sitsAt(cleo);
    bo.network.comesBack();
    const table = await sitsAt(bo);
    assert.notEqual(table, await sitsAt(cleo));
    await bo.seesOnly();
    await cleo.seesOnly();
    await bo.hearsNothingFrom(ada);
    await bo.hearsNothingFrom(cleo);
  });

  it("take in somebody who was cut off while being moved, and let nobody else be heard", async () => {
    const table = await sitsAt(bo);
    await isCutOff(cleo);
    await moves("Cleo", table);
    await bo.seesOnly(cleo);
    cleo.network.comesBack();
    assert.equal(await sitsAt(cleo, table), table);
    await cleo.seesOnly(bo);
    await cleo.hears(bo);
    await bo.hears(cleo);
    await cleo.hearsNothingFrom(ada);
    await ada.seesOnly();
  });

  it("end for somebody who was cut off when they closed", async () => {
    await isCutOff(bo);
    await ada.element("tables-close").click();
    await ada.page.getByRole("menuitem", { name: "Now" }).click();
    await cleo.element("table-strip").waitFor({ state: "detached" });
    bo.network.comesBack();
    await bo.element("table-strip").waitFor({ state: "detached" });
    await bothAreBack();
    for (const learner of [bo, cleo]) {
      await learner.hears(ada);
      await ada.hears(learner);
    }
  });
});

describe("a right that was taken away", () => {
  it("does not start what a former presenter asks for who does not know yet", async () => {
    const you = await bo.page.evaluate(() => window.__lyceum.class.store.you);
    await does(ada, "presenter.assign", { person: you }, "spaces", "main");
    await bo.element("timer-start").waitFor();
    bo.network.loses.down = true;
    await does(ada, "presenter.take", {});
    // The teacher has been told. Bo has not.
    await bo.element("timer-start").click();
    await isOnItsWay(bo);
    bo.network.cut();
    bo.network.comesBack();
    await bo.page.getByText("The teacher changed this").first().waitFor();
    await bo.element("timer-start").waitFor({ state: "detached" });
    assert.equal(await ada.element("timer").count(), 0);
    const log = await server.events(room);
    assert.deepEqual(
      log.filter(({ type }) => type === "timer.started"),
      [],
    );
    await bothAreBack();
  });

  it("lets nobody write who has not heard that the chat is closed", async () => {
    await bo.element("desk-chat").click();
    await bo.element("chat-input").fill("too late");
    bo.network.loses.down = true;
    await does(ada, "policy.set", { patch: { locks: ["chat.send"] } }, "session", "");
    await bo.element("chat-send").click();
    await isOnItsWay(bo);
    bo.network.cut();
    bo.network.comesBack();
    await bo.element("chat-closed").waitFor();
    const log = await server.events(room);
    assert.deepEqual(
      log.filter(({ type }) => type.startsWith("chat.")),
      [],
    );
    await bothAreBack();
  });

  it("silences a microphone before the teacher is told so", async () => {
    await ada.hears(bo);
    bo.network.loses.down = true;
    const you = await bo.page.evaluate(() => window.__lyceum.class.store.you);
    const taken = { person: you, set: { "media.audio": false } };
    await does(ada, "participant.override_caps", taken, "participants", you);
    await ada.hearsNothingFrom(bo);
    await cleo.hearsNothingFrom(bo);
    bo.network.cut();
    bo.network.comesBack();
    await bothAreBack();
    await ada.hearsNothingFrom(bo);
  });
});

/** The teacher asks the class with two options; each learner has it in front of them. */
async function asks(question, options) {
  if ((await ada.element("polls-panel").count()) === 0) await ada.element("desk-polls").click();
  await ada.element("poll-new").click();
  await ada.element("poll-question").fill(question);
  for (const [index, option] of options.entries()) await ada.element("poll-option").nth(index).fill(option);
  await ada.element("poll-ask").click();
  for (const learner of [bo, cleo]) await learner.page.getByText(question).first().waitFor();
}

function chooses(learner, option) {
  return learner.element("poll").first().getByText(option, { exact: true }).click();
}

/** Closes the newest poll, and waits until that is done. */
async function closes() {
  await ada.element("poll-close").click();
  const state = () => ada.element("poll").first().getAttribute("data-status");
  await ada.until(async () => (await state()) === "closed", "the close", state);
}

function hasAnswered(words) {
  const said = () => ada.element("poll-responded").first().innerText();
  return ada.until(async () => (await said()).startsWith(words), `${words} answered`, said);
}

/** The counts of the newest poll. */
function shows(person, counts) {
  const results = person.element("poll-results").first();
  const shown = () => results.getByTestId("poll-count").locator("b").allInnerTexts();
  return person.until(
    async () => JSON.stringify((await shown()).map(Number)) === JSON.stringify(counts),
    `counts of ${counts.join(" and ")}`,
    shown,
  );
}

/** What the page says of this person's answer to the newest poll. */
function answerIs(learner, words) {
  const said = () =>
    learner
      .element("poll-state")
      .first()
      .innerText({ timeout: 1_000 })
      .catch(() => "");
  return learner.until(async () => (await said()).startsWith(words), words, said);
}

/** Nothing gets through, and the page has noticed. */
async function isCutOff(person) {
  person.network.goesAway();
  const connected = () => person.page.evaluate(() => window.__lyceum.class.connected);
  await person.until(async () => !(await connected()), "being cut off");
}

/** What this person did last was sent, and has no answer. */
async function isOnItsWay(person) {
  const pending = () => person.page.evaluate(() => window.__lyceum.class.pending.map(({ sent }) => sent));
  await person.until(async () => (await pending()).join() === "true", "a command without an answer", pending);
}

async function bothAreBack() {
  for (const person of [bo, cleo]) {
    await person.isInside();
    await person.until(
      () => person.page.evaluate(() => window.__lyceum.class.connected),
      "the state of the class is back",
    );
  }
  await ada.seesOnly(bo, cleo);
  await bo.seesOnly(ada, cleo);
  await cleo.seesOnly(ada, bo);
}

/** The teacher moves somebody to another table. */
async function moves(name, table) {
  await ada.element("seat").filter({ hasText: name }).getByTestId("seat-menu").click();
  await ada.page.getByRole("menuitemradio", { name: table }).click();
}

/** The table that somebody's page says they are at. */
async function sitsAt(person, wanted = "Table") {
  const said = () =>
    person
      .element("table-strip")
      .locator("b")
      .innerText({ timeout: 1_000 })
      .catch(() => "");
  await person.until(async () => (await said()).startsWith(wanted), `sitting at ${wanted}`, said);
  return said();
}

/** Does what must succeed; contested things name the revision of `collection[id]`. Settles when the server has answered. */
async function does(person, type, payload, collection, id) {
  const outcome = await person.page.evaluate(
    ([type, payload, collection, id]) => {
      const { class: state } = window.__lyceum;
      const options = collection === undefined ? {} : { expect: state.store.one(collection, id).rev };
      return state.command(type, payload, options);
    },
    [type, payload, collection, id],
  );
  assert.equal(outcome.status, "accepted", `${person.name}: ${type}: ${JSON.stringify(outcome)}`);
}
