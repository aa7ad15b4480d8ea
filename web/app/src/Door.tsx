/** The plain page in front of or behind a class: a bar with the name, one card. */
import { useEffect, useRef, type ReactNode } from "react";
import { Mark } from "./Mark";

export function Door({ title, children, testId }: { title: string; children: ReactNode; testId?: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Lyceum`;
    heading.current?.focus();
  }, [title]);
  return (
    <div className="door" data-testid={testId}>
      <header className="bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
      </header>
      <main className="door-main">
        <section className="card door-card">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {children}
        </section>
      </main>
    </div>
  );
}
