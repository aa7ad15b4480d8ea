// Learning records with @xapi/xapi, a client of others, against the record store of a real server: with axios and with fetch, in both versions.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import XAPIModule from "@xapi/xapi";
import { Server, accessToken } from "../browser/server.mjs";

const XAPI = XAPIModule.default ?? XAPIModule;

let server;

before(async () => {
  server = await Server.start("records");
});

after(() => server?.stop());

const ada = { objectType: "Agent", account: { homePage: "https://school.example", name: "ada" } };
const verb = (name) => ({ id: `https://school.example/verbs/${name}`, display: { en: name } });

/** A statement about an activity of its own, so that no test sees another's. */
function statement(activity, more = {}) {
  return { actor: ada, verb: verb("answered"), object: { id: activity, objectType: "Activity" }, ...more };
}

const anActivity = () => `https://school.example/activities/${randomUUID()}`;

for (const version of ["1.0.3", "2.0.0"]) {
  for (const adapter of ["axios", "fetch"]) {
    describe(`@xapi/xapi, ${version}, ${adapter}`, () => {
      const client = (auth = XAPI.toBasicAuth("devkey", "secret")) =>
        new XAPI({ endpoint: `${server.url}/xapi/`, auth, version, adapter });

      it("is told what the store is", async () => {
        const about = await client().getAbout();
        assert.ok(about.data.version.includes(version), JSON.stringify(about.data));
      });

      it("writes statements and reads them back, one and many", async () => {
        const activity = anActivity();
        const [id] = (await client().sendStatement({ statement: statement(activity) })).data;
        const read = (await client().getStatement({ statementId: id })).data;
        assert.deepEqual(
          [read.object.id, read.actor.account.name, read.verb.display.en],
          [activity, "ada", "answered"],
        );
        assert.ok(read.stored && read.authority);
        const many = Array.from({ length: 5 }, (_, score) =>
          statement(activity, { result: { score: { raw: score } } }),
        );
        const ids = (await client().sendStatements({ statements: many })).data;
        const all = (await client().getStatements({ activity, ascending: true })).data.statements;
        assert.deepEqual(
          all.map((one) => one.id),
          [id, ...ids],
        );
        assert.equal(
          (await client().getStatements({ activity, verb: verb("met").id })).data.statements.length,
          0,
        );
        const since = (await client().getStatements({ activity, since: all[2].stored, ascending: true })).data
          .statements;
        assert.deepEqual(
          since.map((one) => one.id),
          ids.slice(2),
        );
      });

      it("pages through `more` without missing or repeating, while others write", async () => {
        const activity = anActivity();
        const many = Array.from({ length: 25 }, () => statement(activity));
        const ids = (await client().sendStatements({ statements: many })).data;
        const seen = [];
        let page = (await client().getStatements({ activity, limit: 7, ascending: true })).data;
        for (let pages = 1; ; pages++) {
          seen.push(...page.statements.map((one) => one.id));
          if (!page.more) {
            assert.equal(pages, 4);
            break;
          }
          await client().sendStatement({ statement: statement(activity) });
          page = (await client().getMoreStatements({ more: page.more })).data;
        }
        assert.deepEqual(seen, ids);
      });

      it("voids a statement", async () => {
        const activity = anActivity();
        const [id] = (await client().sendStatement({ statement: statement(activity) })).data;
        await client().voidStatement({ actor: ada, statementId: id });
        await assert.rejects(client().getStatement({ statementId: id }), refused(404));
        assert.equal((await client().getVoidedStatement({ voidedStatementId: id })).data.id, id);
      });

      // Its adapter for axios sends them in Node.js without their content type, which no record store can read.
      const attaches = adapter === "fetch" ? it : () => {};
      attaches("brings an attachment and reads it", async () => {
        const bytes = new TextEncoder().encode("a drawing\r\n--of a boundary--\r\n");
        const attachment = {
          usageType: "https://school.example/attachments/drawing",
          display: { en: "Drawing" },
          contentType: "text/plain",
          length: bytes.length,
          sha2: createHash("sha256").update(bytes).digest("hex"),
        };
        const made = statement(anActivity(), { attachments: [attachment] });
        const [id] = (await client().sendStatement({ statement: made, attachments: [bytes.buffer] })).data;
        const [read, ...parts] = (await client().getStatement({ statementId: id, attachments: true })).data;
        assert.equal(read.id, id);
        assert.equal(parts.length, 1);
        assert.equal(read.attachments[0].sha2, attachment.sha2);
      });

      it("keeps documents of state, and changes them by their etag only", async () => {
        const place = { agent: ada, activityId: anActivity(), stateId: "bookmark" };
        await client().createState({ ...place, state: { page: 3 }, etag: "*", matchHeader: "If-None-Match" });
        const read = await client().getState(place);
        assert.deepEqual(read.data, { page: 3 });
        const etag = read.headers.etag ?? read.headers.get?.("etag");
        const change = (state, seen) =>
          client().setState({ ...place, state, etag: seen, matchHeader: "If-Match" });
        await change({ page: 4 }, etag);
        await assert.rejects(change({ page: 5 }, etag), refused(412));
        assert.deepEqual((await client().getState(place)).data, { page: 4 });
        assert.deepEqual((await client().getStates({ agent: ada, activityId: place.activityId })).data, [
          "bookmark",
        ]);
        await client().deleteState({ ...place });
        await assert.rejects(client().getState(place), refused(404));
      });

      it("keeps profiles of activities and agents", async () => {
        const activityId = anActivity();
        const of = { activityId, profileId: "p" };
        await client().createActivityProfile({
          ...of,
          profile: { a: 1 },
          etag: "*",
          matchHeader: "If-None-Match",
        });
        assert.deepEqual((await client().getActivityProfile(of)).data, { a: 1 });
        const agent = { objectType: "Agent", mbox: `mailto:${randomUUID()}@school.example` };
        const theirs = { agent, profileId: "p" };
        await client().createAgentProfile({
          ...theirs,
          profile: { b: 2 },
          etag: "*",
          matchHeader: "If-None-Match",
        });
        assert.deepEqual((await client().getAgentProfile(theirs)).data, { b: 2 });
        assert.equal((await client().getAgent({ agent })).data.mbox[0], agent.mbox);
        await client().sendStatement({ statement: statement(activityId) });
        assert.equal((await client().getActivity({ activityId })).data.id, activityId);
      });

      it("is refused what is wrong, and what its token does not allow", async () => {
        const wrong = { ...statement(anActivity()), result: { score: { scaled: 2 } } };
        await assert.rejects(client().sendStatement({ statement: wrong }), refused(400));
        await assert.rejects(client(XAPI.toBasicAuth("devkey", "no")).getStatements({}), refused(401));
        const reads = `Bearer ${accessToken({ identity: "amina", video: {}, scope: "statements/read" })}`;
        assert.ok(Array.isArray((await client(reads).getStatements({ limit: 1 })).data.statements));
        await assert.rejects(
          client(reads).sendStatement({ statement: statement(anActivity()) }),
          refused(403),
        );
      });
    });
  }
}

const sentences = {
  400: "must lie between -1 and 1",
  401: "credentials",
  403: "scope",
  404: "there is no such",
  412: "the document has changed",
};

/** Whether an error is this refusal. The adapter for fetch throws its text alone. */
function refused(status) {
  return (error) => {
    assert.ok(error.response?.status === status || error.message.includes(sentences[status]), error);
    return true;
  };
}
