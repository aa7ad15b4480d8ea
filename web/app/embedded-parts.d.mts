import type { Plugin } from "vite";

export function excalidrawParts(): Plugin;
export function pdfParts(): Plugin;
