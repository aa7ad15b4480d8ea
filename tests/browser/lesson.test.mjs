// What people do in a class beside being seen and heard, as a lesson on the page: a teacher and two learners.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Person, desktop, openBrowser, phone } from "./people.mjs";
import { Server } from "./server.mjs";

const room = "physics-10";
let server, browser, links;
let ada, bo, cleo;

before(async () => {
  server = await Server.start("lesson");
  browser = await openBrowser();
  links = await server.createRoom(room);
  ada = await Person.withBrowser(browser, { name: "Ada", hz: 500, hue: 205 });
  bo = await Person.withBrowser(browser, { name: "Bo", hz: 900, hue: 30 });
  cleo = await Person.withBrowser(browser, { name: "Cleo", hz: 1400, hue: 335 });
  await ada.opens(links.instructor);
  await ada.joins();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe("a lesson", () => {
  it("lets nobody in who has to wait, until the teacher says so", async () => {
    await ada.element("desk-people").click();
    await chooses(ada, ada.element("class-menu"), "Waits to be let in");
    await ada.until(
      () => ada.page.evaluate(() => window.__lyceum.class.store.one("session").policy.lobby === "ask"),
      "the lobby asks",
    );
    await bo.opens(links.learner);
    await bo.element("name-input").fill(bo.name);
    await bo.element("join-button").click();
    await bo.element("waiting-room").waitFor();
    await bo.page.getByText("Waiting to be let in").first().waitFor();
    await ada.seesOnly();
    await ada.element("door-chip").waitFor();
    await ada.element("admit").click();
    await bo.isInside();
    await bo.seesOnly(ada);
    await chooses(ada, ada.element("class-menu"), "Comes in at once");
    await cleo.opens(links.learner);
    await cleo.joins();
    await ada.seesOnly(bo, cleo);
  });

  it("keeps hands in the order in which they went up", async () => {
    for (const person of [bo, cleo]) {
      await chooses(person, person.element("desk-hand"), "A question");
      await person.page.getByTestId("desk-hand").filter({ hasText: "Hand:" }).waitFor();
    }
    await cleo.page.getByText("Hand: 2nd").waitFor();
    const queue = () => ada.element("hand").locator(".nm").allInnerTexts();
    await ada.until(async () => (await queue()).join() === "Bo,Cleo", "Bo before Cleo", queue);
    await ada.element("hand").first().getByRole("button", { name: "Call on" }).click();
    await bo.element("notice").filter({ hasText: "It is your turn" }).waitFor();
    await cleo.page.getByText("Hand: 1st").waitFor();
    await cleo.element("desk-hand").click();
    await ada.element("hand").waitFor({ state: "detached" });
  });

  it("carries what is written, and says how far it has come", async () => {
    await bo.element("desk-chat").click();
    await writes(bo, "Which page?");
    await message(bo, "Which page?", "posted").waitFor();
    await ada.element("desk-chat").filter({ hasText: "1" }).waitFor();
    await ada.element("desk-chat").click();
    await message(ada, "Which page?", "posted").waitFor();
    await chooses(ada, message(ada, "Which page?", "posted").getByTestId("message-menu"), "Reply");
    await writes(ada, "Page four");
    await message(bo, "Page four", "posted").getByText("You: Which page?").waitFor();
    // To one person alone.
    await cleo.element("desk-people").click();
    await chooses(
      cleo,
      cleo.page.locator('[data-testid="person"]', { hasText: "Ada" }).getByTestId("person-menu"),
      "Write to Ada",
    );
    await writes(cleo, "I feel ill");
    await ada.element("conversation").filter({ hasText: "Cleo" }).click();
    await message(ada, "I feel ill", "posted").waitFor();
    assert.equal(await bo.page.getByText("I feel ill").count(), 0);
    await ada.element("desk-chat").click();
  });

  it("asks, keeps what is half done, and counts everybody once", async () => {
    await ada.element("desk-polls").click();
    await ada.element("poll-new").click();
    await ada.element("poll-question").fill("Do the lines spread?");
    await ada.element("poll-option").nth(0).fill("They spread");
    await ada.element("poll-option").nth(1).fill("They close in");
    await ada.element("poll-ask").click();
    await cleo.element("desk-chat").click();
    for (const [person, answer] of [
      [bo, "They spread"],
      [cleo, "They close in"],
    ]) {
      if ((await person.element("polls-panel").count()) === 0) await person.element("desk-polls").click();
      await person.page.getByLabel(answer).check();
      await person.element("draft-saved").waitFor();
    }
    await bo.element("poll-send").click();
    await bo.element("poll-state").getByText("Your answer is in.").waitFor();
    await responded(ada, "1 of 2");
    // Cleo sends nothing: what was chosen goes in by itself.
    await ada.element("poll-close").click();
    await cleo.element("poll-clock").getByText("Closing").waitFor();
    await responded(ada, "2 of 2");
    await cleo.element("poll-state").getByText("Your answer is in.").waitFor();
    await ada.element("poll-publish").click();
    await bo.element("poll-count").first().waitFor();
    const counts = await bo.element("poll-count").evaluateAll((rows) => rows.map((row) => row.dataset.count));
    assert.deepEqual(counts, ["1", "1"]);
  });

  it("seats people at tables, and brings them back", async () => {
    await ada.element("desk-tables").click();
    await ada.element("tables-plan").click();
    await ada.element("tables-open").click();
    for (const person of [bo, cleo]) {
      await person.element("table-strip").waitFor();
      await person.seesOnly();
    }
    await bo.element("ask-help").click();
    await ada.element("helps").waitFor();
    await chooses(ada, ada.element("help-visit"), "Sit down there");
    await bo.seesOnly(ada);
    await bo.hears(ada);
    await cleo.seesOnly();
    await ada.element("help-resolve").click();
    await bo.element("ask-help").waitFor();
    await ada.element("tables-say").click();
    await ada.element("tables-words").fill("Two more minutes");
    await ada.page.keyboard.press("Enter");
    await cleo.element("notice").filter({ hasText: "Two more minutes" }).waitFor();
    await chooses(ada, ada.element("tables-close"), "Now");
    for (const person of [bo, cleo]) await person.element("table-strip").waitFor({ state: "detached" });
    await cleo.seesOnly(ada, bo);
    await ada.seesOnly(bo, cleo);
  });

  it("fits a phone, with its panels as sheets", async () => {
    await bo.page.setViewportSize(phone);
    for (const panel of ["chat", "people", "polls", "tables"]) {
      if (panel === "chat") {
        if ((await bo.element("chat-panel").count()) === 0) await bo.element("desk-chat").click();
      } else {
        const word = { people: "People", polls: "Polls and timer", tables: "Tables" }[panel];
        await bo.element("desk-more").click();
        await bo.page.getByRole("menuitem", { name: word }).click();
      }
      await bo.element(`${panel}-panel`).waitFor();
      const overflow = await bo.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(overflow <= 0, `${panel} is ${overflow} px too wide`);
      await bo.screenshot(`panel-${panel}-phone`);
    }
    await bo.page.getByRole("button", { name: "Close: Tables" }).click();
    await bo.page.setViewportSize(desktop);
    for (const person of [ada, bo, cleo]) assert.deepEqual(person.complaints, [], person.name);
  });
});

async function chooses(person, button, word) {
  await button.click();
  await person.page.locator('[role^="menuitem"]', { hasText: word }).first().click();
}

async function writes(person, text) {
  await person.element("chat-input").fill(text);
  await person.element("chat-send").click();
}

function message(person, text, state) {
  return person.page.locator(`[data-testid="message"][data-state="${state}"]`, {
    has: person.page.locator(".body", { hasText: text }),
  });
}

function responded(person, words) {
  return person.element("poll-responded").filter({ hasText: words }).first().waitFor();
}
