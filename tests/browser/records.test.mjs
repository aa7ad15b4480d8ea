// The page for staff that shows learning records, in Chromium over a real server.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { openBrowser, phone } from "./people.mjs";
import { Server, accessToken } from "./server.mjs";
import { outputFolder } from "./until.mjs";

let server, browser, page;
const errors = [];

before(async () => {
  server = await Server.start("records-page");
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
  page.on("pageerror", (error) => errors.push(error.message));
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const records = () => page.getByTestId("record");
const screenshot = (name) => page.screenshot({ path: join(outputFolder, `records-${name}.png`) });

async function says(person, verb, activity, more = {}) {
  const statement = {
    actor: { name: person, account: { homePage: "https://school.example", name: `u_${person}` } },
    verb: { id: `https://school.example/verbs/${encodeURIComponent(verb)}`, display: { en: verb } },
    object: {
      id: `https://school.example/activities/${encodeURIComponent(activity)}`,
      definition: { name: { en: activity } },
    },
    ...more,
  };
  const answer = await fetch(`${server.url}/xapi/statements`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from("devkey:secret").toString("base64")}`,
      "content-type": "application/json",
      "x-experience-api-version": "2.0.0",
    },
    body: JSON.stringify(statement),
  });
  assert.equal(answer.status, 200, await answer.text());
}

it("is closed to who has no link, and to who may not read records", async () => {
  await page.goto(`${server.url}/records`);
  await page.getByTestId("records-door").waitFor();
  const forClass = accessToken({ identity: "amara", video: { roomJoin: true, room: "maths" } });
  await page.getByTestId("records-token").fill(`${server.url}/records#${forClass}`);
  await page.getByRole("button", { name: "Open the records" }).click();
  await page.getByText("This link does not let you read learning records.").waitFor();
});

it("shows statements as they arrive, and keeps its token out of the address", async () => {
  await says("Amara", "joined", "Waves");
  await says("Bilal", "answered", "Question 1", { result: { score: { raw: 2, max: 3 }, success: false } });
  const token = accessToken({ identity: "", scope: "statements/read" });
  await page.goto("about:blank");
  await page.goto(`${server.url}/records#${token}`);
  await records().nth(1).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  assert.match(await records().first().innerText(), /Bilal answered Question 1[^]*2 of 3, not right/);
  await says("Chiara", "raised a hand in", "Main room");
  await records().filter({ hasText: "Chiara raised a hand in Main room" }).waitFor();
  await screenshot("list");
});

it("does not move under the pointer", async () => {
  await records().last().hover();
  await says("Dmitri", "left", "Waves");
  const fresh = page.getByTestId("records-new");
  await fresh.waitFor();
  assert.equal(await records().count(), 3);
  await fresh.click();
  await records().nth(3).waitFor();
  assert.match(await records().first().innerText(), /Dmitri left Waves/);
});

it("shows one readable and raw, and filters by what it says", async () => {
  await records().filter({ hasText: "Bilal" }).click();
  const one = page.getByTestId("record-one");
  await one.getByText("As it is stored").click();
  const raw = JSON.parse(await page.getByTestId("record-raw").innerText());
  assert.deepEqual([raw.actor.name, raw.result.score.max], ["Bilal", 3]);
  await screenshot("one");
  await one.getByRole("button", { name: "Only this person" }).click();
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=record]").length === 1);
  await page.getByTestId("records-clear").click();
  await records().nth(3).waitFor();
  await page.getByTestId("records-activity").fill("Waves");
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=record]").length === 2);
  await page.getByTestId("records-verb").fill("nothing of this kind");
  await page.getByTestId("records-verb").press("Enter");
  await page.getByText("Write a verb from the list, or its address.").waitFor();
});

it("fits a phone, and says when the server is away", async () => {
  await page.setViewportSize(phone);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  await screenshot("phone");
  server.kill();
  await page.getByText("Interrupted: what you see is kept, trying again…").waitFor({ timeout: 60_000 });
  assert.deepEqual(errors, []);
});
