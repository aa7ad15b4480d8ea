/** A button that opens a menu of things to do. Arrow keys walk, Esc closes and gives the focus back. */
import { Check, type LucideIcon } from "lucide-react";
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { createPortal } from "react-dom";

export interface MenuItem {
  readonly word: string;
  readonly hint?: string;
  readonly icon?: LucideIcon;
  readonly checked?: boolean;
  /** Ends or removes something: asks to be pressed twice. */
  readonly danger?: boolean;
  readonly run: () => void;
}
/** A line of text begins a new part. */
export type MenuEntry = MenuItem | { readonly heading: string };

interface Props {
  label: string;
  entries: readonly MenuEntry[];
  className?: string;
  testId?: string;
  children: ReactNode;
}

interface Place {
  x: number;
  y: number;
  up: boolean;
}

export function MenuButton({ label, entries, className = "ib", testId, children }: Props) {
  const [place, setPlace] = useState<Place | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  function open() {
    const box = button.current?.getBoundingClientRect();
    if (box === undefined) return;
    const up = box.bottom > window.innerHeight * 0.6;
    setPlace({ x: box.right, y: up ? box.top : box.bottom, up });
  }

  function close(giveFocusBack: boolean) {
    setPlace(null);
    if (giveFocusBack) button.current?.focus();
  }

  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={place !== null}
        aria-controls={place === null ? undefined : id}
        data-testid={testId}
        onClick={() => (place === null ? open() : close(true))}
      >
        {children}
      </button>
      {place !== null &&
        createPortal(
          <MenuList id={id} label={label} entries={entries} place={place} onClose={close} />,
          document.body,
        )}
    </>
  );
}

interface ListProps {
  id: string;
  label: string;
  entries: readonly MenuEntry[];
  place: Place;
  onClose: (giveFocusBack: boolean) => void;
}

function MenuList({ id, label, entries, place, onClose }: ListProps) {
  const list = useRef<HTMLDivElement>(null);
  const [asked, setAsked] = useState<string | null>(null);
  const latest = useRef(onClose);
  useEffect(() => {
    latest.current = onClose;
  });

  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const width = element.offsetWidth;
    const x = Math.max(8, Math.min(place.x - width, window.innerWidth - width - 8));
    const room = place.up ? place.y - 12 : window.innerHeight - place.y - 12;
    element.style.left = `${x}px`;
    element.style.maxHeight = `${room}px`;
    if (place.up) element.style.bottom = `${window.innerHeight - place.y + 4}px`;
    else element.style.top = `${place.y + 4}px`;
    element.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
    const outside = (event: Event) => {
      if (event.target instanceof Node && !element.contains(event.target)) latest.current(false);
    };
    const resized = () => latest.current(false);
    // The press that opened it is still on its way.
    const timer = setTimeout(() => document.addEventListener("pointerdown", outside), 0);
    window.addEventListener("resize", resized);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("pointerdown", outside);
      window.removeEventListener("resize", resized);
    };
  }, [place]);

  function handleKey(event: KeyboardEvent) {
    const items = [...(list.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const here = items.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1 + items.length,
      Home: 0,
      End: items.length - 1,
    };
    const next = steps[event.key];
    if (next !== undefined) items[next % items.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") onClose(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div ref={list} id={id} className="menu" role="menu" aria-label={label} onKeyDown={handleKey}>
      {entries.map((entry) => {
        if ("heading" in entry) {
          return (
            <p className="mh" role="presentation" key={`heading ${entry.heading}`}>
              {entry.heading}
            </p>
          );
        }
        const { word, hint, icon: Icon, checked, danger = false, run } = entry;
        const asks = danger && asked === word;
        return (
          <button
            key={word}
            type="button"
            className={danger ? "mi danger" : "mi"}
            role={checked === undefined ? "menuitem" : "menuitemradio"}
            aria-checked={checked}
            tabIndex={-1}
            onClick={() => {
              if (danger && !asks) {
                setAsked(word);
                return;
              }
              onClose(true);
              run();
            }}
          >
            {Icon !== undefined && <Icon className="i s" aria-hidden="true" />}
            <span className="grow">{asks ? `${word}: press again` : word}</span>
            {hint !== undefined && <span className="s13 mut">{hint}</span>}
            {checked === true && <Check className="i s" aria-hidden="true" />}
          </button>
        );
      })}
    </div>
  );
}
