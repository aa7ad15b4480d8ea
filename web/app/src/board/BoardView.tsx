/** A board, with a page of slides behind it if there is one: Excalidraw, bound to the document. */
import type { DocumentState, SharedDocument } from "@lyceum/sdk/documents";
import { Excalidraw, MainMenu } from "@excalidraw/excalidraw";
import "@excalidraw/excalidraw/index.css";
import type {
  AppState,
  BinaryFileData,
  Collaborator,
  ExcalidrawImperativeAPI,
  SocketId,
} from "@excalidraw/excalidraw/types";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { useMediaQuery } from "../lib/hooks";
import { notice } from "../lib/notices";
import { BoardBinding, type Right } from "./binding";
import { sceneOf } from "./excalidraw";
import { elementOf, readPresence, strokeOf, type Presence } from "./presence";

/** A picture of a page, as a data URL, and its size on the board. */
export interface PagePicture {
  readonly id: string;
  readonly url: string;
  readonly width: number;
  readonly height: number;
}

interface Props {
  document: SharedDocument;
  state: DocumentState;
  me: string;
  name: string;
  right: Right;
  page: PagePicture | null;
}

/** Elements that others see while they are being drawn. */
const drawn = new Set(["freedraw", "rectangle", "ellipse", "diamond", "arrow", "line"]);
const pageId = "lyceum-page";

export default function BoardView({ document, state, me, name, right, page }: Props) {
  /** Not before Excalidraw has its own first, empty scene: that would take away what is shown until then. */
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null);
  const early = useRef<ExcalidrawImperativeAPI | null>(null);
  const binding = useRef<BoardBinding | null>(null);
  const presence = useRef<Presence>({ name });
  const isDark = useMediaQuery("(prefers-color-scheme: dark)");
  const { doc, awareness, loaded } = state;
  const readRight = useEffectEvent(() => right);

  useEffect(() => {
    if (api === null) return;
    // Another document is another board: nothing of the last one stays, and no undo leads back to it.
    api.updateScene({ elements: [] });
    const scene = sceneOf(api);
    const made = new BoardBinding({
      doc,
      scene,
      me,
      right: readRight(),
      refused: () => notice("Pictures cannot be put on the board. Bring them as slides instead."),
    });
    binding.current = made;
    const { history }: { history: { clear: () => void } } = api;
    history.clear();
    const stop = document.onReset(() => made.write());
    return () => {
      stop();
      made.write();
      made.destroy();
      binding.current = null;
    };
  }, [api, doc, document, me]);

  useEffect(() => binding.current?.setRight(right), [right]);

  // What is there is in view, once it is there.
  useEffect(() => {
    if (api === null || !loaded || page !== null) return;
    const elements = api.getSceneElements();
    if (elements.length > 0) api.scrollToContent(elements, { fitToViewport: true, viewportZoomFactor: 0.9 });
  }, [api, doc, loaded, page]);

  useEffect(() => {
    if (api === null || page === null) return;
    api.addFiles([pictureFile(page)]);
    const element = sceneOf(api).read(pageElement(page));
    if (element === null) return;
    binding.current?.setGuest(pageId, { ...element, index: null });
    const shown = api.getSceneElements().filter(({ id }) => id === pageId);
    api.scrollToContent(shown, { fitToViewport: true, viewportZoomFactor: 1 });
  }, [api, doc, page]);

  // ---- Others ----

  useEffect(() => {
    if (api === null) return;
    let frame = 0;
    let strokes = new Set<string>();
    const show = () => {
      frame = 0;
      const collaborators = new Map<SocketId, Collaborator>();
      const now = new Set<string>();
      const scene = sceneOf(api);
      for (const [client, said] of awareness.getStates()) {
        const other = client === doc.clientID ? null : readPresence(said);
        if (other === null) continue;
        collaborators.set(String(client) as SocketId, {
          username: other.name,
          button: other.button ?? "up",
          ...(other.pointer === undefined ? {} : { pointer: other.pointer }),
        });
        const id = other.stroke?.element.id;
        if (typeof id !== "string") continue;
        const element = scene.read(elementOf(other.stroke, doc.getMap("elements").get(id)));
        if (element === null) continue;
        now.add(id);
        binding.current?.setGuest(id, element);
      }
      for (const id of strokes) if (!now.has(id)) binding.current?.setGuest(id, null);
      strokes = now;
      api.updateScene({ collaborators });
    };
    const changed = () => {
      if (frame === 0) frame = requestAnimationFrame(show);
    };
    awareness.on("change", changed);
    changed();
    return () => {
      awareness.off("change", changed);
      cancelAnimationFrame(frame);
      for (const id of strokes) binding.current?.setGuest(id, null);
    };
  }, [api, awareness, doc]);

  // ---- Oneself ----

  const say = (change: Partial<Presence>) => {
    presence.current = { ...presence.current, name, ...change };
    document.setPresence({ ...presence.current });
  };
  useEffect(() => () => document.setPresence(null), [document]);

  const handleChange = (appState: AppState) => {
    if (api === null) {
      setApi(early.current);
      return;
    }
    binding.current?.sceneChanged(appState.cursorButton === "down");
    const { newElement } = appState;
    const isDrawing = newElement !== null && drawn.has(newElement.type) && right !== "nothing";
    if (isDrawing) {
      const written = doc.getMap("elements").get(newElement.id) as { points?: unknown[] } | undefined;
      const stroke = strokeOf(newElement, written?.points?.length ?? 0);
      say({ stroke });
    } else if (presence.current.stroke != null) {
      say({ stroke: null });
    }
  };

  useEffect(() => {
    if (api === null) return;
    // After Excalidraw has finished what the pointer did.
    return api.onPointerUp(() => setTimeout(() => binding.current?.released()));
  }, [api]);

  return (
    <div
      className="board-canvas"
      data-own-keys
      onDropCapture={(event) => {
        if (event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        event.stopPropagation();
        notice("Files cannot be put on the board. Bring them as slides instead.");
      }}
    >
      <Excalidraw
        excalidrawAPI={(made) => {
          early.current = made;
        }}
        onChange={(_, appState) => handleChange(appState)}
        onPointerUpdate={({ pointer, button }) => say({ pointer, button })}
        onPaste={(data) => data.files === undefined || Object.keys(data.files).length === 0}
        viewModeEnabled={right === "nothing"}
        theme={isDark ? "dark" : "light"}
        langCode="en"
        name={document.name.replaceAll(":", "-")}
        handleKeyboardGlobally={false}
        aiEnabled={false}
        validateEmbeddable={false}
        UIOptions={{
          tools: { image: false },
          canvasActions: {
            changeViewBackgroundColor: false,
            clearCanvas: false,
            export: false,
            loadScene: false,
            saveToActiveFile: false,
            toggleTheme: false,
            saveAsImage: true,
          },
        }}
      >
        <MainMenu>
          <MainMenu.DefaultItems.SaveAsImage />
          <MainMenu.DefaultItems.SearchMenu />
          <MainMenu.DefaultItems.Help />
        </MainMenu>
      </Excalidraw>
    </div>
  );
}

function pictureFile({ id, url }: PagePicture): BinaryFileData {
  const mimeType = /^data:([^;]+)/.exec(url)?.[1] ?? "image/png";
  return { id, dataURL: url, mimeType, created: 0 } as BinaryFileData;
}

function pageElement({ id, width, height }: PagePicture): Record<string, unknown> {
  let nonce = 0;
  for (const char of id) nonce = (nonce * 31 + (char.codePointAt(0) ?? 0)) % 2 ** 31;
  return {
    id: pageId,
    type: "image",
    fileId: id,
    status: "saved",
    x: 0,
    y: 0,
    width,
    height,
    scale: [1, 1],
    crop: null,
    locked: true,
    version: 1,
    versionNonce: nonce,
  };
}
