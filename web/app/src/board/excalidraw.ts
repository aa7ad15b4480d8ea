/** Excalidraw as the board uses it: where its fonts lie, and what the binding needs to know of its scene. */
import { CaptureUpdateAction, restoreElements } from "@excalidraw/excalidraw";
import type { ExcalidrawImperativeAPI } from "@excalidraw/excalidraw/types";
import type { Scene } from "./binding";
import type { BoardElement } from "./elements";

window.EXCALIDRAW_ASSET_PATH = __EXCALIDRAW_ASSETS__;

type Elements = Parameters<typeof restoreElements>[0];

export function sceneOf(api: ExcalidrawImperativeAPI): Scene {
  return {
    elements: () => api.getSceneElementsIncludingDeleted(),
    inHand: () => inHand(api.getAppState()),
    show: (elements) => {
      api.updateScene({
        elements: elements as unknown as Elements,
        captureUpdate: CaptureUpdateAction.NEVER,
      });
    },
    read: (value) => {
      try {
        const [element] = restoreElements([value] as unknown as Elements, null);
        return (element as unknown as BoardElement | undefined) ?? null;
      } catch {
        return null;
      }
    },
  };
}

function inHand(state: ReturnType<ExcalidrawImperativeAPI["getAppState"]>): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const element of [
    state.newElement,
    state.multiElement,
    state.editingTextElement,
    state.resizingElement,
  ])
    if (element !== null) ids.add(element.id);
  if (state.editingLinearElement !== null) ids.add(state.editingLinearElement.elementId);
  const isMoving = state.selectedElementsAreBeingDragged || state.isResizing || state.isRotating;
  if (isMoving) for (const id of Object.keys(state.selectedElementIds)) ids.add(id);
  return ids;
}
