// What applications send each other through LiveKit's SDK for browsers: messages, streams, calls, chat.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { meet, withGuests } from "./guests.mjs";

let server, ada, bo, cleo, ways;

withGuests(
  "guest-data",
  (cast) => ({ server, ada, bo, cleo, ways } = cast),
  () => {
    beforeEach(async () => {
      await meet(server, [ada, bo, cleo]);
    });

    describe("messages", () => {
      it("reach everybody but their sender, with their topic", async () => {
        await ada.does(() =>
          room.localParticipant.publishData(new TextEncoder().encode("good morning"), {
            reliable: true,
            topic: "greeting",
          }),
        );
        for (const person of [bo, cleo]) {
          await person.eventually(() => told("dataReceived").length > 0, "the message");
          assert.deepEqual(await messages(person), [
            { text: "good morning", from: "ada", topic: "greeting" },
          ]);
        }
        assert.deepEqual(await messages(ada), []);
      });

      it("for somebody reach nobody else", async () => {
        await ada.does(async () => {
          const send = (text, destinationIdentities) =>
            room.localParticipant.publishData(new TextEncoder().encode(text), {
              reliable: true,
              destinationIdentities,
            });
          await send("for Bo", ["bo"]);
          await send("for both", ["cleo", "bo"]);
          await send("for all");
        });
        // The lane is ordered: what was for Bo alone would have come to Cleo first.
        const texts = async (person) => (await messages(person)).map((message) => message.text);
        await cleo.eventually(
          () => told("dataReceived").some(([text]) => text === "for all"),
          "the last message",
        );
        await bo.eventually(
          () => told("dataReceived").some(([text]) => text === "for all"),
          "the last message",
        );
        assert.deepEqual(await texts(bo), ["for Bo", "for both", "for all"]);
        assert.deepEqual(await texts(cleo), ["for both", "for all"]);
      });

      it("arrive once and in order, many large ones at once", async () => {
        const count = 200;
        await ada.does(async (count) => {
          const sending = [];
          for (let number = 0; number < count; number++) {
            const text = `${number} `.padEnd(12_000, "x");
            sending.push(
              room.localParticipant.publishData(new TextEncoder().encode(text), { reliable: true }),
            );
          }
          await Promise.all(sending);
        }, count);
        for (const person of [bo, cleo]) {
          const got = await person.eventually(
            (count) => told("dataReceived").length >= count && told("dataReceived").map(([text]) => text),
            `${count} messages`,
            count,
          );
          assert.ok(got.every((text) => text.length === 12_000));
          assert.deepEqual(
            got.map((text) => Number(text.split(" ")[0])),
            Array.from({ length: count }, (_, number) => number),
          );
        }
      });

      it("that may be lost arrive as such", async () => {
        await ada.does(() => {
          window.sending = setInterval(
            () => room.localParticipant.publishData(new TextEncoder().encode("cursor"), { reliable: false }),
            100,
          );
        });
        const lossy = await bo.does(() => LivekitClient.DataPacket_Kind.LOSSY);
        const [text, from, kind] = await bo.eventually(() => told("dataReceived")[0], "one of many");
        await ada.does(() => clearInterval(window.sending));
        assert.deepEqual([text, from, kind], ["cursor", "ada", lossy]);
      });
    });

    describe("a remote call", () => {
      it("is answered by the method of the person who is called", async () => {
        for (const [callee, caller] of ways) {
          await callee.does(() =>
            room.registerRpcMethod(
              "greet",
              async ({ callerIdentity, payload }) => `${payload}, ${callerIdentity}`,
            ),
          );
          assert.equal(await calls(caller, callee.identity, "greet", "hello"), `hello, ${caller.identity}`);
        }
      });

      it("carries as much as a call may", async () => {
        await bo.does(() => room.registerRpcMethod("echo", async ({ payload }) => payload));
        const payload = "x".repeat(14_000);
        assert.equal(await calls(ada, "bo", "echo", payload), payload);
      });

      it("brings back the error that the method gives", async () => {
        await bo.does(() =>
          room.registerRpcMethod("grade", async () => {
            throw new LivekitClient.RpcError(107, "not yet graded", "essay 3");
          }),
        );
        assert.deepEqual(await calls(ada, "bo", "grade"), {
          code: 107,
          message: "not yet graded",
          data: "essay 3",
        });
      });

      it("of a method that is not there, or of nobody, ends with an error", async () => {
        const codes = await ada.does(() => LivekitClient.RpcError.ErrorCode);
        assert.equal((await calls(ada, "bo", "unheard-of")).code, codes.UNSUPPORTED_METHOD);
        const { code } = await calls(ada, "nobody", "greet", "", { responseTimeout: 1_500 });
        assert.ok(
          [codes.CONNECTION_TIMEOUT, codes.RESPONSE_TIMEOUT, codes.RECIPIENT_NOT_FOUND].includes(code),
          code,
        );
      });

      it("ends with an error when the method takes too long", async () => {
        await bo.does(() => room.registerRpcMethod("ponder", () => new Promise(() => {})));
        const codes = await ada.does(() => LivekitClient.RpcError.ErrorCode);
        const { code } = await calls(ada, "bo", "ponder", "", { responseTimeout: 1_500 });
        assert.equal(code, codes.RESPONSE_TIMEOUT);
      });

      it("ends with an error when the person who is called leaves", async () => {
        await bo.does(() => {
          room.registerRpcMethod("ponder", () => {
            window.pondering = true;
            return new Promise(() => {});
          });
        });
        const answer = calls(ada, "bo", "ponder", "", { responseTimeout: 60_000 });
        await bo.eventually(() => window.pondering, "being called");
        await bo.leaves();
        assert.equal(
          (await answer).code,
          await ada.does(() => LivekitClient.RpcError.ErrorCode.RECIPIENT_DISCONNECTED),
        );
      });
    });

    describe("a stream", () => {
      /** Not worth compressing, so that it takes many chunks. */
      const longText = (length) => Array.from({ length }, () => Math.random().toString(36).at(-1)).join("");

      const readsText = (person) =>
        person.does(() => {
          window.texts = [];
          room.registerTextStreamHandler("essay", async (reader, { identity }) => {
            texts.push({ text: await reader.readAll(), from: identity, attributes: reader.info.attributes });
          });
        });

      const readsFile = (person) =>
        person.does(() => {
          window.files = [];
          room.registerByteStreamHandler("homework", async (reader, { identity }) => {
            let chunks = 0;
            const digest = [];
            for await (const chunk of reader) {
              chunks += 1;
              digest.push(...chunk);
            }
            const { name, mimeType, attributes } = reader.info;
            files.push({ from: identity, chunks, name, mimeType, attributes, bytes: digest });
          });
        });

      it("of text reaches everybody, however long it is, with its attributes", async () => {
        await readsText(bo);
        await readsText(cleo);
        const text = `${longText(100_000)} é 漢字`;
        await ada.does(
          (text) => room.localParticipant.sendText(text, { topic: "essay", attributes: { draft: "2" } }),
          text,
        );
        for (const person of [bo, cleo]) {
          const got = await person.eventually(() => texts[0], "the essay");
          assert.equal(got.text, text);
          assert.equal(got.from, "ada");
          assert.equal(got.attributes.draft, "2");
        }
      });

      it("of text for somebody reaches nobody else", async () => {
        for (const person of [bo, cleo]) await readsText(person);
        await ada.does(async () => {
          await room.localParticipant.sendText("for Bo", { topic: "essay", destinationIdentities: ["bo"] });
          await room.localParticipant.sendText("for all", { topic: "essay" });
        });
        for (const [person, wanted] of [
          [bo, ["for Bo", "for all"]],
          [cleo, ["for all"]],
        ]) {
          await person.eventually(() => texts.some(({ text }) => text === "for all"), "the last text");
          assert.deepEqual(await person.does(() => texts.map(({ text }) => text)), wanted);
        }
      });

      it("of text is read while it is written", async () => {
        await bo.does(() => {
          window.soFar = "";
          room.registerTextStreamHandler("caption", async (reader) => {
            for await (const chunk of reader) window.soFar += chunk;
            window.soFar += ".";
          });
        });
        await ada.does(async () => {
          window.writer = await room.localParticipant.streamText({ topic: "caption" });
          await writer.write("the square ");
        });
        await bo.eventually(() => soFar === "the square ", "the first words");
        await ada.does(async () => {
          await writer.write("of two");
          await writer.close();
        });
        await bo.eventually(() => soFar === "the square of two.", "the rest");
      });

      it("of bytes brings a file, whole", async () => {
        for (const person of [ada, bo]) await readsFile(person);
        for (const [sender, receiver] of ways) {
          const sent = await sender.does(async (to) => {
            const bytes = crypto.getRandomValues(new Uint8Array(60_000));
            const file = new File([bytes], "essay.pdf", { type: "application/pdf" });
            await room.localParticipant.sendFile(file, { topic: "homework", destinationIdentities: [to] });
            return [...bytes];
          }, receiver.identity);
          const got = await receiver.eventually(() => files[0], "the file");
          assert.deepEqual(got.bytes, sent);
          assert.equal(got.from, sender.identity);
          assert.equal(got.name, "essay.pdf");
          assert.equal(got.mimeType, "application/pdf");
          assert.ok(got.chunks > 1, `in ${got.chunks} chunks`);
        }
      });
    });

    describe("chat", () => {
      it("of today and of long ago is one and the same to the others", async () => {
        await bo.does(() => {
          window.lines = [];
          room.registerTextStreamHandler("lk.chat", async (reader, { identity }) => {
            lines.push({ text: await reader.readAll(), from: identity });
          });
        });
        await ada.does(() => room.localParticipant.sendText("in a stream", { topic: "lk.chat" }));
        assert.deepEqual(await bo.eventually(() => lines[0], "the line"), {
          text: "in a stream",
          from: "ada",
        });

        await ada.does(async () => {
          window.line = await room.localParticipant.sendChatMessage("in a mesage");
        });
        const chat = (text) =>
          bo.eventually(
            (text) => told("chatMessage").find(([line, from]) => line.message === text && from === "ada"),
            `the line ${text}`,
            text,
          );
        const [first] = await chat("in a mesage");
        await ada.does(() => room.localParticipant.editChatMessage("in a message", line));
        const [second] = await chat("in a message");
        assert.equal(second.id, first.id, "it is the same line, edited");
      });
    });
  },
);

/** Lets somebody call a method of another, and gives the answer, or the error as `{ code, message, data }`. */
function calls(person, destinationIdentity, method, payload = "", how = {}) {
  return person.does(
    (call) =>
      room.localParticipant
        .performRpc(call)
        .catch((error) => ({ code: error.code, message: error.message, data: error.data })),
    { destinationIdentity, method, payload, ...how },
  );
}

/** What messages somebody got: text, sender and topic of each. */
const messages = (person) =>
  person.does(() => told("dataReceived").map(([text, from, , topic]) => ({ text, from, topic })));
