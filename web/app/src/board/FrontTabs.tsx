/** What is in front: people, or the board, slides, notes. Follows what the class is shown, until one chooses something else. */
import type { Classroom } from "@lyceum/sdk";
import { FileText, Megaphone, PenLine, Presentation, UsersRound, type LucideIcon } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { notice } from "../lib/notices";
import { layoutOfView, viewOfLayout, type FrontView } from "./views";

const tabs: readonly { view: FrontView; word: string; icon: LucideIcon }[] = [
  { view: "people", word: "People", icon: UsersRound },
  { view: "board", word: "Board", icon: PenLine },
  { view: "slides", word: "Slides", icon: Presentation },
  { view: "notes", word: "Notes", icon: FileText },
];

/** What the class is shown in this person's Space, and what this person looks at. */
export function useFront(classroom: Classroom): [FrontView, (view: FrontView) => void] {
  const { store } = classroom.class;
  const shown = useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => {
      const space = store.me?.visit ?? store.me?.space ?? "main";
      return viewOfLayout(store.one("spaces", space)?.stage.layout);
    },
  );
  const [view, setView] = useState<FrontView>(shown);
  const [followed, setFollowed] = useState<FrontView>(shown);
  if (followed !== shown) {
    setFollowed(shown);
    setView(shown);
  }
  return [view, setView];
}

interface Props {
  classroom: Classroom;
  view: FrontView;
  onView: (view: FrontView) => void;
}

export function FrontTabs({ classroom, view, onView }: Props) {
  const { store } = classroom.class;
  const canLead = useSyncExternalStore(
    (listener) => store.subscribeTo("grants", listener),
    () => store.can("stage.set"),
  );
  const space = store.me?.visit ?? store.me?.space ?? "main";
  const stage = useSyncExternalStore(
    (listener) => store.subscribeTo("spaces", listener),
    () => store.one("spaces", space)?.stage,
  );
  const layout = layoutOfView(view);
  const isShown = layout === null || viewOfLayout(stage?.layout) === view;

  useEffect(() => {
    if (view !== "people") void import("./WorkArea");
  }, [view]);

  const showAll = async () => {
    if (layout === null) return;
    const outcome = await classroom.class.command("stage.set", {
      space,
      stage: { layout, spotlight: stage?.spotlight ?? [] },
    });
    if (outcome.status === "rejected") notice(outcome.message);
  };

  return (
    <div className="front-tabs" role="group" aria-label="In front">
      {tabs.map(({ view: of, word, icon: Icon }) => (
        <button
          key={of}
          className="front-tab"
          aria-pressed={of === view}
          data-testid={`front-${of}`}
          onClick={() => onView(of)}
        >
          <Icon className="i s" aria-hidden="true" />
          {word}
        </button>
      ))}
      <span className="grow" />
      {canLead && !isShown && (
        <button className="btn small" data-testid="front-show" onClick={() => void showAll()}>
          <Megaphone className="i xs" aria-hidden="true" />
          Show everybody
        </button>
      )}
    </div>
  );
}
