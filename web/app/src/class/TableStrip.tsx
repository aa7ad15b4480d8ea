/** Above the lesson while one is at a table: which, for how long, and the ways to ask for help and to go back. */
import { LifeBuoy, UsersRound } from "lucide-react";
import { useAct, useCan, useMyself, useOne, useServerNow } from "./state";
import { clockWords, spaceTitle, waitWords } from "./words";

export function TableStrip() {
  const { entry } = useMyself();
  const breakouts = useOne("breakouts");
  const mayAsk = useCan("breakout.ask_help");
  const mayReturn = useCan("breakout.return");
  const act = useAct();
  const now = useServerNow(breakouts !== undefined);
  if (entry === undefined || (entry.space === "main" && entry.visit === null)) return null;
  const space = entry.visit ?? entry.space;
  const title = spaceTitle(space, breakouts?.groups);
  const closesAt = breakouts?.closes_at ?? null;
  const left = closesAt === null ? null : closesAt - now;
  const help = breakouts?.groups[space]?.help;
  const isLearner = entry.role === "learner";

  return (
    <section className="banner quiet table-strip" data-testid="table-strip" aria-label="Your table">
      <UsersRound className="i" aria-hidden="true" />
      <p className="grow">
        <b>{entry.visit === null ? title : `Visiting ${title}`}</b>
        {left !== null && (
          <span className={left < 60_000 ? "chip lamp" : "mut"} data-testid="table-left">
            {breakouts?.status === "closing" ? "back in " : ""}
            {clockWords(left)}
            {breakouts?.status === "closing" ? "" : " left"}
          </span>
        )}
        {help != null && <span className="chip iris">Help asked for, {waitWords(now - help.since)}</span>}
      </p>
      {isLearner && mayAsk && help == null && (
        <button className="btn small" data-testid="ask-help" onClick={() => void act("breakouts.ask_help")}>
          <LifeBuoy className="i xs" aria-hidden="true" />
          Ask for help
        </button>
      )}
      {entry.visit !== null && (
        <button className="btn small" data-testid="end-visit" onClick={() => void act("breakouts.visit", {})}>
          Go back
        </button>
      )}
      {entry.visit === null &&
        mayReturn &&
        breakouts !== undefined &&
        (breakouts.allow_return || !isLearner) && (
          <button
            className="btn small"
            data-testid="return-main"
            onClick={() => void act("breakouts.return")}
          >
            To the main room
          </button>
        )}
    </section>
  );
}
