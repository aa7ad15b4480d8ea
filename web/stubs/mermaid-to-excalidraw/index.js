/** The board offers no Mermaid diagrams; this keeps Mermaid, and some 150 packages with it, out of the page. */
export function parseMermaidToExcalidraw() {
  return Promise.reject(new Error("Mermaid diagrams are not offered on this board."));
}
