/** The start page: says what Lyceum is, and takes an invite link that somebody pastes. */
import { parseInviteLink } from "@lyceum/sdk";
import { useEffect, useId, useState, type SubmitEvent } from "react";
import { Mark } from "./Mark";

export function LandingPage() {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const id = useId();

  useEffect(() => {
    document.title = "Lyceum";
  }, []);

  function open(event: SubmitEvent) {
    event.preventDefault();
    const link = parseInviteLink(text, window.location.origin);
    if (link === null) {
      setProblem(
        "This is no invite link. One ends in /c/, the name of the class, # and a long code: copy all of it.",
      );
    } else if (link.origin !== window.location.origin) {
      setProblem(
        `This link leads to another server, ${new URL(link.origin).host}. Open it in the address bar.`,
      );
    } else {
      window.location.assign(`/c/${encodeURIComponent(link.room)}#${link.invite}`);
    }
  }

  return (
    <div className="door">
      <header className="bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
      </header>
      <main className="door-main landing" data-testid="landing">
        <h1>A room for live classes</h1>
        <p className="lead">
          Teachers and learners see and hear each other here, share a screen, and come back to their place by
          themselves when a network drops.
        </p>
        <form className="card join" onSubmit={open} noValidate>
          <div className="field">
            <label htmlFor={id}>Your invite link</label>
            <input
              id={id}
              className="input"
              data-testid="invite-input"
              value={text}
              onChange={(event) => setText(event.target.value)}
              autoComplete="off"
              spellCheck={false}
              dir="ltr"
              placeholder={`${window.location.origin}/c/…`}
              aria-invalid={problem !== null}
              aria-describedby={`${id}-hint`}
            />
            <p className={problem === null ? "hint" : "hint bad"} id={`${id}-hint`} role="status">
              {problem ?? "Your teacher sends it to you. It opens the class."}
            </p>
          </div>
          <button className="btn main big" data-testid="invite-open">
            Go to the class
          </button>
        </form>
        <p className="s13 mut">
          You run this server? <code>lyceum room create</code> opens a class and prints its invite links.
        </p>
      </main>
    </div>
  );
}
