// What people publish with LiveKit's SDK for browsers, and how it reaches the others.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meet, withGuests } from "./guests.mjs";

let server, ada, bo, cleo, ways;

withGuests(
  "guest-publishing",
  (cast) => ({ server, ada, bo, cleo, ways } = cast),
  () => {
    describe("a camera and a microphone", () => {
      it("of everybody are seen and heard by everybody, whoever came first", async () => {
        const room = await meet(server, [ada, bo]);
        for (const person of [ada, bo]) {
          await person.does(() => room.localParticipant.enableCameraAndMicrophone());
        }
        await cleo.joins(server, room);
        await cleo.does(() => room.localParticipant.enableCameraAndMicrophone());
        await Promise.all(
          [ada, bo, cleo].map(async (person) => {
            for (const other of [ada, bo, cleo].filter((other) => other !== person)) {
              await person.hears(other);
              await person.getsPicture(other);
            }
          }),
        );
      });

      it("are silent and dark while muted, and back after that", async () => {
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          const showsMuted = (muted) =>
            receiver.eventually(
              ([who, muted]) =>
                ["camera", "microphone"].every((source) => publication(who, source).isMuted === muted),
              `both shown as ${muted ? "muted" : "not muted"}`,
              [sender.identity, muted],
            );
          await sender.does(() => room.localParticipant.enableCameraAndMicrophone());
          await receiver.hears(sender);
          await receiver.getsPicture(sender);
          await sender.does(async () => {
            await room.localParticipant.setMicrophoneEnabled(false);
            await room.localParticipant.setCameraEnabled(false);
          });
          await showsMuted(true);
          await receiver.hearsNothingFrom(sender);
          await sender.does(async () => {
            await room.localParticipant.setMicrophoneEnabled(true);
            await room.localParticipant.setCameraEnabled(true);
          });
          await showsMuted(false);
          await receiver.hears(sender);
          await receiver.getsPicture(sender);
        }
      });

      it("that are muted from the start are published, and heard once unmuted", async () => {
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          await sender.does(async () => {
            window.voice = await LivekitClient.createLocalAudioTrack();
            await voice.mute();
            await room.localParticipant.publishTrack(voice);
          });
          await receiver.eventually(
            (who) => publication(who, "microphone")?.isMuted,
            "seeing a muted microphone",
            sender.identity,
          );
          await sender.does(() => voice.unmute());
          await receiver.hears(sender);
        }
      });

      it("are published and unpublished many times, on lines that are used again", async () => {
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          const counts = [];
          for (let time = 0; time < 4; time++) {
            await sender.does(() => room.localParticipant.enableCameraAndMicrophone());
            await receiver.hears(sender);
            counts.push((await receiver.does(() => subscriberLines())).length);
            await sender.does(async () => {
              for (const publication of [...room.localParticipant.trackPublications.values()]) {
                await room.localParticipant.unpublishTrack(publication.track);
              }
            });
            await receiver.eventually(
              (who) => person(who).trackPublications.size === 0,
              "being told that they are gone",
              sender.identity,
            );
          }
          assert.ok(Math.max(...counts) <= counts[0] + 2, `lines of the receiver, each time: ${counts}`);
        }
      });

      it("can be given another source while they are published", async () => {
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          await sender.does(() => room.localParticipant.setMicrophoneEnabled(true));
          await receiver.hears(sender);
          await sender.does(() => {
            const { track } = room.localParticipant.getTrackPublication("microphone");
            return track.replaceTrack(__probe.newTone(3_000));
          });
          await receiver.hears({ name: sender.name, hz: 3_000 });
        }
      });
    });

    describe("a camera", () => {
      /** How many layers of the camera are sent. */
      const layersSent = (person) =>
        person.does(async () => {
          const sent = await stats(room.localParticipant.getTrackPublication("camera").track, "outbound-rtp");
          return sent.filter((layer) => layer.framesEncoded > 0).length;
        });

      it("comes in three layers, or in one if so wished", async () => {
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          for (const [simulcast, layers] of [
            [true, 3],
            [false, 1],
          ]) {
            await sender.does(
              (simulcast) =>
                room.localParticipant.setCameraEnabled(
                  true,
                  { resolution: LivekitClient.VideoPresets.h720.resolution },
                  { simulcast, videoCodec: "vp8" },
                ),
              simulcast,
            );
            await receiver.getsPicture(sender);
            await sender.until(async () => (await layersSent(sender)) === layers, `sending ${layers} layers`);
            assert.equal(
              await receiver.does((who) => publication(who, "camera").simulcasted ?? false, sender.identity),
              simulcast,
            );
            await sender.does(() =>
              room.localParticipant.unpublishTrack(room.localParticipant.getTrackPublication("camera").track),
            );
            await receiver.eventually((who) => !publication(who, "camera"), "its end", sender.identity);
          }
        }
      });

      it("is carried in H.264 too", async (test) => {
        const speaks = (person) =>
          person.does(() =>
            [RTCRtpSender, RTCRtpReceiver].every((side) =>
              side.getCapabilities("video").codecs.some(({ mimeType }) => mimeType === "video/H264"),
            ),
          );
        for (const person of [ada, bo]) {
          if (!(await speaks(person))) return test.skip(`the browser of ${person.name} has no H.264`);
        }
        await meet(server, [ada, bo]);
        for (const [sender, receiver] of ways) {
          await sender.does(() =>
            room.localParticipant.setCameraEnabled(true, undefined, { videoCodec: "h264" }),
          );
          await receiver.getsPicture(sender);
          const mime = await receiver.does((who) => publication(who, "camera").mimeType, sender.identity);
          assert.equal(mime.toLowerCase(), "video/h264");
        }
      });

      it("sends no layer that nobody looks at", async () => {
        await meet(server, [ada, bo], {
          ada: { options: { dynacast: true } },
          bo: { options: { dynacast: true } },
        });
        for (const [sender, receiver] of ways.slice(0, 1)) {
          await sender.does(() =>
            room.localParticipant.setCameraEnabled(true, {
              resolution: LivekitClient.VideoPresets.h720.resolution,
            }),
          );
          await receiver.getsPicture(sender);
          const active = () =>
            sender.does(() =>
              room.localParticipant
                .getTrackPublication("camera")
                .track.sender.getParameters()
                .encodings.map((encoding) => encoding.active),
            );
          const sends = (...wanted) =>
            sender.until(
              async () => JSON.stringify(await active()) === JSON.stringify(wanted),
              `sending the layers ${wanted}`,
              active,
            );
          await receiver.does(
            (who) => publication(who, "camera").setVideoQuality(LivekitClient.VideoQuality.LOW),
            sender.identity,
          );
          await sends(true, false, false);
          await receiver.getsPicture(sender);
          await receiver.does(
            (who) => publication(who, "camera").setVideoQuality(LivekitClient.VideoQuality.HIGH),
            sender.identity,
          );
          await sends(true, true, true);
          await receiver.getsPicture(sender);
          await sender.does(() =>
            room.localParticipant.unpublishTrack(room.localParticipant.getTrackPublication("camera").track),
          );
        }
      });
    });

    describe("a microphone", () => {
      /** Publishes a microphone; gives the codec that is agreed for it, and its parameters. */
      const agreedFor = async (person, options) => {
        await person.does(
          (options) => room.localParticipant.setMicrophoneEnabled(true, undefined, options),
          options,
        );
        return person.does(() => {
          const { track } = room.localParticipant.getTrackPublication("microphone");
          const { codecs } = track.sender.getParameters();
          return {
            first: codecs[0].mimeType,
            opus: codecs.find(({ mimeType }) => mimeType === "audio/opus").sdpFmtpLine,
          };
        });
      };

      const stops = async (person, receiver) => {
        await person.does(() =>
          room.localParticipant.unpublishTrack(room.localParticipant.getTrackPublication("microphone").track),
        );
        await receiver.eventually((who) => !publication(who, "microphone"), "its end", person.identity);
      };

      it("is sent with redundancy, or without if so wished, and heard in both", async () => {
        await meet(server, [ada, bo]);
        assert.equal((await agreedFor(ada, { red: true })).first, "audio/red");
        await bo.hears(ada);
        await stops(ada, bo);
        assert.equal((await agreedFor(ada, { red: false })).first, "audio/opus");
        await bo.hears(ada);
      });

      it("is sent without discontinuous transmission if so wished", async () => {
        await meet(server, [ada, bo]);
        assert.match((await agreedFor(ada, { dtx: true })).opus, /usedtx=1/);
        await bo.hears(ada);
        await stops(ada, bo);
        assert.doesNotMatch((await agreedFor(ada, { dtx: false })).opus, /usedtx=1/);
        await bo.hears(ada);
      });

      it("is sent in stereo if so wished", async () => {
        await meet(server, [ada, bo]);
        assert.doesNotMatch((await agreedFor(ada, {})).opus, /(^|;)stereo=1/);
        await bo.hears(ada);
        await stops(ada, bo);
        assert.match((await agreedFor(ada, { forceStereo: true })).opus, /(^|;)stereo=1/);
        await bo.hears(ada);
      });
    });

    describe("more than one microphone", () => {
      it("are all heard: ten tracks of one person", async () => {
        await meet(server, [ada, bo]);
        const tones = Array.from({ length: 10 }, (_, number) => 600 + 170 * number);
        for (const [sender, receiver] of ways) {
          await sender.does(async (tones) => {
            for (const hz of tones) {
              await room.localParticipant.publishTrack(__probe.newTone(hz), {
                name: `${hz}`,
                source: "unknown",
                dtx: false,
              });
            }
          }, tones);
          for (const hz of tones) {
            await receiver.eventually(
              async ([who, hz]) => {
                const track = [...person(who).trackPublications.values()].find(
                  (publication) => publication.trackName === `${hz}`,
                )?.track;
                const heard = await __probe.toneOf(track?.mediaStreamTrack);
                return Math.abs(heard - hz) < 15;
              },
              `the tone of ${hz} Hz`,
              [sender.identity, hz],
            );
          }
        }
      });
    });

    describe("a screen", () => {
      it("is seen beside the camera until it ends", async () => {
        await meet(server, [ada, bo]);
        await ada.does(async () => {
          await room.localParticipant.setCameraEnabled(true);
          await room.localParticipant.setScreenShareEnabled(true);
        });
        await bo.getsPicture(ada, "screen_share");
        await bo.getsPicture(ada);
        await ada.does(() => room.localParticipant.setScreenShareEnabled(false));
        await bo.eventually(() => !publication("ada", "screen_share"), "its end");
        await bo.getsPicture(ada);
      });
    });

    describe("the right to publish", () => {
      const refusal = (person, action) =>
        person.does(
          async (source) =>
            (source === "camera"
              ? room.localParticipant.setCameraEnabled(true)
              : room.localParticipant.setMicrophoneEnabled(true)
            ).then(
              () => null,
              (error) => error.name,
            ),
          action,
        );

      it("is refused to those who have it not, and they stay and hear", async () => {
        await meet(server, [ada, bo], { bo: { video: { canPublish: false } } });
        assert.equal(await refusal(bo, "microphone"), "PublishTrackError");
        await ada.does(() => room.localParticipant.setMicrophoneEnabled(true));
        await bo.hears(ada);
      });

      it("can be for some sources alone", async () => {
        await meet(server, [ada, bo], { bo: { video: { canPublishSources: ["microphone"] } } });
        assert.equal(await refusal(bo, "camera"), "PublishTrackError");
        assert.equal(await refusal(bo, "microphone"), null);
        await ada.hears(bo);
      });
    });
  },
);
