/** Why something was not done, in a sentence for the person who wanted it. */
import type { Rejected } from "@lyceum/sdk";

export function refusalWords(outcome: Pick<Rejected, "code" | "message" | "retryMs">): string {
  switch (outcome.code) {
    case "stale_grant":
      return "The teacher changed this. You may not do it any more.";
    case "forbidden":
      return `You may not do this: ${outcome.message}.`;
    case "conflict":
      return `It did not fit any more: ${outcome.message}. Look again, and repeat it if you still want it.`;
    case "rate":
      return `That was too fast. Wait ${Math.max(1, Math.ceil((outcome.retryMs ?? 1_000) / 1_000))} s, then try again.`;
    case "closed":
      return `It is over: ${outcome.message}.`;
    case "not_found":
      return "It is not there any more.";
    case "unavailable":
      return "This server cannot do that.";
    case "session_ended":
      return "The class is over.";
    case "not_admitted":
      return "You are not in the class any more.";
    case "limit":
    case "invalid":
      return sentence(outcome.message);
    default:
      return outcome.message;
  }
}

function sentence(text: string): string {
  const first = text.charAt(0).toLocaleUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
