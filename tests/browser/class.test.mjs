// One class from the door to the end, in real browsers over a real server: each test goes on where the one before stopped.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Person, openBrowser, desktop, phone } from "./people.mjs";
import { Server } from "./server.mjs";
import { until } from "./until.mjs";

const room = "algebra-1";
let server, browser, links;
let ada, bo, cleo;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  links = await server.createRoom(room);
  // No tone is a harmonic of another.
  ada = await Person.withBrowser(browser, { name: "Ada", hz: 500, hue: 205 });
  bo = await Person.withBrowser(browser, { name: "Bo", hz: 900, hue: 30 });
  cleo = await Person.withBrowser(browser, { name: "Cleo", hz: 1400, hue: 335 });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe("a class", () => {
  it("begins at a door with a mirror, a level meter and one's name", async () => {
    await ada.opens(links.instructor);
    const mirror = ada.element("prejoin").locator("video");
    await ada.until(() => mirror.evaluate((video) => video.videoWidth > 0), "one's own picture");
    const level = ada.element("mic-level");
    await ada.until(
      async () => Number(await level.getAttribute("data-level")) > 0,
      "the level of one's own voice",
    );

    await ada.screenshot("prejoin");
    await ada.page.setViewportSize(phone);
    await fitsWidth(ada);
    await ada.screenshot("prejoin-phone");
    await ada.page.setViewportSize(desktop);

    await ada.element("join-button").click();
    await ada.page.getByText("Type your name first").waitFor();
  });

  it("is entered by the instructor's link, and by the one that the instructor copies", async () => {
    await ada.joins();
    await ada.element("copy-invite").first().click();
    await ada.page.getByText("Invite link copied").first().waitFor();
    const copied = await ada.page.evaluate(() => navigator.clipboard.readText());
    for (const learner of [bo, cleo]) {
      await learner.opens(copied);
      await learner.joins();
    }
    await ada.seesOnly(bo, cleo);
    await bo.seesOnly(ada, cleo);
    await cleo.seesOnly(ada, bo);
  });

  it("lets everybody see and hear everybody", async () => {
    await everybodySeesAndHears();
    await ada.page.setViewportSize({ width: 1280, height: 800 });
    await ada.getsPicture(bo);
    await ada.screenshot("class");
  });

  it("sends the layer that fits the size of the tile", async () => {
    const width = async () => (await ada.picture(bo)).width;
    await ada.page.setViewportSize({ width: 1500, height: 1000 });
    await ada.until(async () => (await width()) >= 640, "a large picture in a large window", width);
    await ada.page.setViewportSize({ width: 300, height: 560 });
    await ada.until(async () => (await width()) <= 320, "a small picture in a small window", width);
    await ada.getsPicture(bo);
    await ada.page.setViewportSize({ width: 1500, height: 1000 });
    await ada.until(async () => (await width()) >= 640, "a large picture again", width);
    await ada.getsPicture(bo);
    await ada.page.setViewportSize(desktop);
  });

  it("shows who is muted, and carries nothing of them", async () => {
    await bo.page.keyboard.press("m");
    for (const other of [ada, cleo]) {
      await other.seesOf(bo, "mic", "off");
      await other.hearsNothingFrom(bo);
    }
    await bo.page.keyboard.press("m");
    for (const other of [ada, cleo]) {
      await other.seesOf(bo, "mic", "on");
      await other.hears(bo);
    }
  });

  it("shows whose camera is off, and the picture when it is back", async () => {
    await bo.element("desk-camera").click();
    for (const other of [ada, cleo]) await other.seesOf(bo, "camera", "off");
    await bo.element("desk-camera").click();
    for (const other of [ada, cleo]) {
      await other.seesOf(bo, "camera", "on");
      await other.getsPicture(bo);
    }
  });

  it("marks who speaks", async () => {
    await cleo.seesOf(ada, "speaking", "true");
  });

  it("puts a shared screen on the stage until it ends", async () => {
    await ada.element("desk-share").click();
    await ada.element("sharing").waitFor();
    for (const other of [bo, cleo]) {
      await other.element("stage").waitFor();
      await other.getsPicture(ada, "screen_share");
      assert.ok((await other.picture(ada, "screen_share")).width >= 640, "a screen is legible");
    }
    await bo.page.setViewportSize({ width: 1280, height: 800 });
    await bo.getsPicture(ada, "screen_share");
    await bo.screenshot("screen-share");
    await bo.page.setViewportSize(desktop);
    await ada.element("sharing").getByRole("button").click();
    for (const other of [bo, cleo]) await other.element("stage").waitFor({ state: "detached" });
    await cleo.getsPicture(ada);
  });

  it("fits a phone", async () => {
    await cleo.page.setViewportSize(phone);
    await cleo.getsPicture(ada);
    await cleo.getsPicture(bo);
    await fitsWidth(cleo);
    await cleo.screenshot("class-phone");
    await cleo.page.setViewportSize(desktop);
  });

  it("has the person who reloads the page back at once, as the same person, with media", async () => {
    const identity = await ada.tileOf(bo).getAttribute("data-identity");
    await bo.page.reload();
    await bo.isInside();
    await everybodySeesAndHears();
    assert.equal(await ada.tileOf(bo).getAttribute("data-identity"), identity);
    await ada.seesOnly(bo, cleo);
  });

  it("shows that somebody left, and has them back when they wish", async () => {
    await cleo.element("desk-leave").click();
    await cleo.element("ended").waitFor();
    await ada.seesOnly(bo);
    await bo.seesOnly(ada);
    await cleo.element("join-again").click();
    await cleo.isInside();
    await everybodySeesAndHears();
  });

  it("goes on after the server was killed and started again", async () => {
    noPageComplained();
    const before = await server.events(room);
    await server.kill();
    for (const person of [ada, bo, cleo]) {
      await person.until(
        async () => (await person.phase()) === "reconnecting",
        "seeing that the class is lost",
      );
    }
    await bo.screenshot("reconnecting");
    await server.start();
    for (const person of [ada, bo, cleo]) await person.isInside();
    await everybodySeesAndHears();
    await ada.seesOnly(bo, cleo);
    // Of the server that was gone, they may.
    for (const person of [ada, bo, cleo]) person.complaints = [];

    const log = await server.events(room);
    assert.deepEqual(log.slice(0, before.length), before, "nothing that was there is lost or changed");
    assert.deepEqual(
      log.map((event) => event.seq),
      log.map((_, index) => index + 1),
      "numbered without a gap",
    );
    const recovery = log.slice(before.length);
    assert.equal(recovery[0].type, "session.recovered");
    const lanes = recovery
      .filter((event) => event.type === "connection.attached")
      .map((event) => event.payload.client.lane ?? "media");
    assert.equal(lanes.filter((lane) => lane === "media").length, 3, "everybody's media, once");
    assert.equal(lanes.filter((lane) => lane === "state").length, 3, "and everybody's state");
  });

  it("can be attended by sound alone", async () => {
    await cleo.element("desk-leave").click();
    await ada.seesOnly(bo);
    const dee = await Person.withBrowser(browser, { name: "Dee", hz: 2100, hue: 120 });
    await dee.opens(links.learner);
    await dee.element("name-input").fill(dee.name);
    await dee.element("audio-only").click();
    await dee.isInside();
    await dee.hears(ada);
    await ada.hears(dee);
    await ada.seesOf(dee, "camera", "off");
    assert.equal((await dee.picture(ada)).frames, 0, "no picture is received");
    await dee.page.getByRole("button", { name: "show pictures" }).click();
    await dee.getsPicture(ada);
    await dee.getsPicture(bo);
    await dee.element("desk-leave").click();
    await ada.seesOnly(bo);
    await dee.context.close();
  });

  it("says what is wrong with an invite that is none", async () => {
    const eve = await Person.withBrowser(browser, { name: "Eve", hz: 2100, hue: 0 });
    await eve.opens(`${server.url}/c/${room}#not-an-invite`);
    await eve.element("name-input").fill(eve.name);
    await eve.element("join-button").click();
    await eve.element("join-problem").waitFor();
    await eve.page.goto(server.url);
    await eve.element("landing").waitFor();
    await eve.page.goto(`${server.url}/c/${room}`);
    await eve.element("no-invite").waitFor();
    await eve.context.close();
  });

  it("is served with a policy that lets nothing else in", async () => {
    const { headers } = await fetch(`${server.url}/c/${room}`);
    assert.match(headers.get("content-security-policy"), /default-src 'none'/);
    noPageComplained();
  });
});

async function everybodySeesAndHears() {
  for (const person of [ada, bo, cleo]) {
    for (const other of [ada, bo, cleo].filter((other) => other !== person)) {
      await person.getsPicture(other);
      await person.hears(other);
    }
  }
}

/** No script failed, and the content security policy refused nothing. */
function noPageComplained() {
  for (const person of [ada, bo, cleo]) assert.deepEqual(person.complaints, [], person.name);
}

/** Nothing is wider than the window: no scrolling sideways. */
async function fitsWidth(person) {
  const overflow = () =>
    person.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await until(async () => (await overflow()) <= 0, `${person.name}: the page fits its width`, overflow);
}
