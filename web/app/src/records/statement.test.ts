import { describe, expect, it } from "vitest";
import { duration, inWords, lastPart, read, type Json } from "./statement";

describe("a statement in words", () => {
  it("says who did what, with what result", () => {
    const reading = read({
      id: "1",
      actor: { name: "Ada", account: { homePage: "https://school.example", name: "u_1" } },
      verb: { id: "https://v.example/answered", display: { de: "beantwortete", en: "answered" } },
      object: { id: "https://a.example/polls/3", definition: { name: { en: "Question 3" } } },
      result: { score: { raw: 2, max: 3 }, success: false, duration: "PT1M30.04S" },
      context: { contextActivities: { parent: [{ id: "https://a.example/classes/maths" }] } },
      authority: { account: { homePage: "https://school.example", name: "school" } },
    });
    expect([reading.person, reading.activity, reading.activityId]).toEqual([
      "Ada",
      "Question 3",
      "https://a.example/polls/3",
    ]);
    expect(reading.agent).toEqual({
      objectType: "Agent",
      account: { homePage: "https://school.example", name: "u_1" },
    });
    expect(reading.result).toBe("2 of 3, not right, 1 min 30 s");
    expect(reading.facts).toEqual([
      ["Part of", "maths"],
      ["Vouched for by", "school"],
    ]);
  });

  it("reads whatever comes", () => {
    const strangers: Json[] = [
      null,
      7,
      "x",
      [],
      {},
      { actor: [], verb: "x", object: null, result: { score: "high" } },
    ];
    for (const strange of strangers) {
      const reading = read(strange);
      expect([reading.person, reading.result, reading.facts]).toEqual(["Somebody", "", []]);
    }
    const about = read({
      actor: { objectType: "Group", member: [{ mbox: "mailto:a@b.example" }, { name: "Ben" }] },
      verb: { id: "http://adlnet.gov/expapi/verbs/voided" },
      object: { objectType: "StatementRef", id: "0123456789abcdef" },
    });
    expect(`${about.person} ${about.verb} ${about.activity}`).toBe(
      "a@b.example, Ben voided statement 01234567",
    );
    expect([about.agent, about.activityId]).toEqual([null, ""]);
  });

  it("chooses a language that is read", () => {
    const words = { "de-AT": "sagte", "en-US": "said", fr: "" };
    expect(inWords(words, ["de"])).toBe("sagte");
    expect(inWords(words, ["nl", "en"])).toBe("said");
    expect(inWords({ ja: "言った" }, ["de"])).toBe("言った");
    expect(inWords(undefined, ["de"])).toBe("");
  });

  it("shortens addresses and durations", () => {
    expect([
      lastPart("https://a.example/x/gr%C3%B6%C3%9Fe/"),
      lastPart("https://a/%zz"),
      lastPart(""),
    ]).toEqual(["größe", "%zz", ""]);
    expect([duration("PT0S"), duration("P1DT2H"), duration("P1W")]).toEqual(["0 s", "1 d 2 h", "P1W"]);
  });
});
