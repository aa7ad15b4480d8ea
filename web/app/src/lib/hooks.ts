/** Small hooks over the browser: sizes, media queries, clocks. */
import { useEffect, useState, useSyncExternalStore, type RefCallback } from "react";

export interface Size {
  width: number;
  height: number;
}

/** Watches the inner size of an element, in CSS pixels. */
export function useSize(): [RefCallback<HTMLElement>, Size] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [setElement, size];
}

export function useMediaQuery(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const list = window.matchMedia(query);
      list.addEventListener("change", onChange);
      return () => list.removeEventListener("change", onChange);
    },
    () => window.matchMedia(query).matches,
  );
}

/** A narrow screen: panels are sheets, the desk has five keys. */
export const useIsPhone = () => useMediaQuery("(max-width: 759px), (max-height: 480px)");

/** Whole seconds since `sinceMs`, counted while the component is shown. */
export function useSecondsSince(sinceMs: number): number {
  const [nowMs, setNowMs] = useState(sinceMs);
  useEffect(() => {
    const tick = () => setNowMs(Date.now());
    tick();
    const timer = setInterval(tick, 1_000);
    return () => clearInterval(timer);
  }, [sinceMs]);
  return Math.max(0, Math.floor((nowMs - sinceMs) / 1_000));
}
