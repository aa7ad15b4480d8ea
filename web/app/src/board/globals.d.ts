/** Where the parts that Excalidraw and PDF.js load later lie: `embedded-parts.mjs`. */
declare const __EXCALIDRAW_ASSETS__: string;
declare const __PDF_ASSETS__: string;

interface Window {
  EXCALIDRAW_ASSET_PATH?: string;
}
