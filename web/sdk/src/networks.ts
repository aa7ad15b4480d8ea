/**
 * Tells when the browser takes up another network of the device. Browsers have no event for it, but a peer connection that never
 * connects looks for its own addresses again whenever the browser's list of networks changes. Chromium's follows the device's
 * by up to two seconds: what is restarted before may try the address of yesterday. Browsers that do not look again tell nothing.
 */

/** A change comes as several addresses; how long the last of them is waited for, in milliseconds. */
const settleMs = 20;

/** Calls back after each change; returns how to end that. */
export function watchNetworks(changed: () => void): () => void {
  if (typeof RTCPeerConnection === "undefined") return () => undefined;
  const probe = new RTCPeerConnection();
  let looked = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  probe.onicecandidate = ({ candidate }) => {
    if (candidate === null) {
      looked = true;
    } else if (looked) {
      clearTimeout(timer);
      timer = setTimeout(changed, settleMs);
    }
  };
  probe.createDataChannel("");
  probe.setLocalDescription().catch(() => undefined);
  return () => {
    clearTimeout(timer);
    probe.close();
  };
}
