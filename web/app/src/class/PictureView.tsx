/**
 * A picture from a camera or screen. When it goes away while `frozen`, the last frame stays visible, so that a lost
 * network does not turn the room black; otherwise the fallback shows.
 */
import type { Picture } from "@lyceum/sdk";
import { useEffect, useRef, useState, type ReactNode } from "react";

/** Widest last frame that is kept, in pixels: enough to read a screen or to know a face, small in memory. */
const keptFrameWidth = { contain: 1280, cover: 480 };
/**
 * How often the last frame is kept, in milliseconds. LiveKit empties the video before it says that the connection
 * is lost; then it is too late.
 */
const keepEveryMs = 2_000;

interface Props {
  picture: Picture | null;
  fallback?: ReactNode;
  /** Whether the last frame is to stay; a picture without this (your own) keeps none. */
  frozen?: boolean;
  mirrored?: boolean;
  /** Whole picture with margins (a screen) or filled (a face). */
  fit: "contain" | "cover";
}

export function PictureView({ picture, fallback, frozen, mirrored = false, fit }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const lastFrame = useRef<HTMLCanvasElement>(null);
  const goneWithFrame = useRef(false);
  const [framed, setFramed] = useState(false);
  const keepsFrames = frozen !== undefined;

  useEffect(() => {
    const element = video.current;
    const canvas = lastFrame.current;
    if (picture === null || element === null || canvas === null) return;
    picture.attach(element);
    let kept = false;
    const keep = () => {
      if (!document.hidden) kept = keepFrame(element, canvas, keptFrameWidth[fit]) || kept;
    };
    const timer = keepsFrames ? setInterval(keep, keepEveryMs) : undefined;
    return () => {
      clearInterval(timer);
      goneWithFrame.current = kept;
      picture.detach(element);
    };
  }, [picture, keepsFrames, fit]);

  useEffect(() => {
    if (frozen !== true || video.current === null || lastFrame.current === null) return;
    setFramed(keepFrame(video.current, lastFrame.current, keptFrameWidth[fit]) || goneWithFrame.current);
    return () => setFramed(false);
  }, [frozen, fit]);

  useEffect(() => {
    // Only a picture that goes in this very moment may leave its last frame: of any other, the camera was turned off.
    goneWithFrame.current = false;
  });

  const className = ["picture", fit, mirrored ? "mirrored" : ""].join(" ");
  const showFrame = picture === null && frozen === true && framed;
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

/** `false` if the video shows nothing. */
function keepFrame(video: HTMLVideoElement, canvas: HTMLCanvasElement, widest: number): boolean {
  if (video.videoWidth === 0) return false;
  const scale = Math.min(1, widest / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  return true;
}
