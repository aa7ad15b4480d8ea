/** The frame of what is shown at the side, on a phone as a sheet: a heading that gets the focus, and a way to close it. */
import { X } from "lucide-react";
import { useEffect, useRef, type ReactNode } from "react";

interface Props {
  title: string;
  count?: number;
  testId: string;
  asSheet: boolean;
  /** Stays where the focus is: it opened by itself. */
  quiet?: boolean;
  actions?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

export function Panel({ title, count, testId, asSheet, quiet = false, actions, onClose, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const takesFocus = useRef(!quiet);

  useEffect(() => {
    if (!takesFocus.current) return;
    const cameFrom = document.activeElement;
    heading.current?.focus();
    return () => {
      if (cameFrom instanceof HTMLElement) cameFrom.focus();
    };
  }, []);

  return (
    <aside
      className={asSheet ? "side sheet" : "side"}
      aria-label={title}
      data-testid={testId}
      data-region
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <section className="card panel">
        <div className="hd">
          <h2 ref={heading} tabIndex={-1} className="grow">
            {title} {count !== undefined && <span className="mut">{count}</span>}
          </h2>
          {actions}
          <button className="ib" aria-label={`Close: ${title}`} title="Close (Esc)" onClick={onClose}>
            <X className="i s" aria-hidden="true" />
          </button>
        </div>
        {children}
      </section>
    </aside>
  );
}
