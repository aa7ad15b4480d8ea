/**
 * A picture from a camera or screen. When it goes away while `frozen`, the last frame stays visible, so that a lost
 * network does not turn the room black; otherwise the fallback shows.
 */
import type { Picture } from "@lyceum/sdk";
import { useEffect, useRef, useState, type ReactNode } from "react";

/** Widest last frame that is kept, in pixels: enough to read a screen, small in memory. */
const keptFrameWidth = 1280;

interface Props {
  picture: Picture | null;
  fallback?: ReactNode;
  frozen?: boolean;
  mirrored?: boolean;
  /** Whole picture with margins (a screen) or filled (a face). */
  fit: "contain" | "cover";
}

export function PictureView({ picture, fallback, frozen = false, mirrored = false, fit }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const lastFrame = useRef<HTMLCanvasElement>(null);
  const keptNow = useRef(false);
  const [framed, setFramed] = useState(false);

  useEffect(() => {
    const element = video.current;
    const canvas = lastFrame.current;
    if (picture === null || element === null || canvas === null) return;
    picture.attach(element);
    return () => {
      // The picture may go in the same moment in which the connection is found to be lost.
      keptNow.current = keepFrame(element, canvas);
      picture.detach(element);
    };
  }, [picture]);

  useEffect(() => {
    if (!frozen || video.current === null || lastFrame.current === null) return;
    setFramed(keepFrame(video.current, lastFrame.current) || keptNow.current);
    return () => setFramed(false);
  }, [frozen]);

  useEffect(() => {
    // A frame from any earlier moment must never come back: the camera may have been turned off since.
    keptNow.current = false;
  });

  const className = ["picture", fit, mirrored ? "mirrored" : ""].join(" ");
  const showFrame = picture === null && frozen && framed;
  return (
    <>
      <canvas ref={lastFrame} className={className} hidden={!showFrame} aria-hidden="true" />
      <video
        ref={video}
        className={className}
        hidden={picture === null}
        muted
        playsInline
        autoPlay
        aria-hidden="true"
      />
      {picture === null && !showFrame && fallback}
    </>
  );
}

function keepFrame(video: HTMLVideoElement, canvas: HTMLCanvasElement): boolean {
  if (video.videoWidth === 0) return false;
  const scale = Math.min(1, keptFrameWidth / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return true;
}
