/** How others will see you: your camera mirrored, keys to turn things off before you go in, and what is wrong with them. */
import type { Classroom, DeviceProblem, Me } from "@lyceum/sdk";
import { Mic, MicOff, TriangleAlert, Video, VideoOff } from "lucide-react";
import { PictureView } from "./PictureView";

export function Mirror({ classroom, me }: { classroom: Classroom; me: Me }) {
  return (
    <>
      <div className="mirror">
        <PictureView
          picture={me.camera.on ? me.camera.track : null}
          fit="cover"
          mirrored
          fallback={
            <div className="mono hue-1">
              <span className="mirror-text">
                {me.camera.starting ? "Your camera is starting…" : "Camera off"}
              </span>
            </div>
          }
        />
        <div className="mirror-keys">
          <button
            type="button"
            className="btn"
            aria-pressed={me.microphone.on}
            data-testid="prejoin-mic"
            onClick={() => void classroom.setMicrophone(!me.microphone.on)}
          >
            {me.microphone.on ? (
              <Mic className="i" aria-hidden="true" />
            ) : (
              <MicOff className="i" aria-hidden="true" />
            )}
            {me.microphone.on ? "Mic on" : "Mic off"}
          </button>
          <button
            type="button"
            className="btn"
            aria-pressed={me.camera.on}
            data-testid="prejoin-camera"
            onClick={() => void classroom.setCamera(!me.camera.on)}
          >
            {me.camera.on ? (
              <Video className="i" aria-hidden="true" />
            ) : (
              <VideoOff className="i" aria-hidden="true" />
            )}
            {me.camera.on ? "Camera on" : "Camera off"}
          </button>
        </div>
      </div>
      <DeviceProblems
        microphone={me.microphone.problem}
        camera={me.camera.problem}
        onRetry={() => {
          if (me.microphone.problem !== null) void classroom.setMicrophone(true);
          if (me.camera.problem !== null) void classroom.setCamera(true);
        }}
      />
    </>
  );
}

interface DeviceProblemsProps {
  microphone: DeviceProblem | null;
  camera: DeviceProblem | null;
  onRetry: () => void;
}

function DeviceProblems({ microphone, camera, onRetry }: DeviceProblemsProps) {
  const messages = deviceMessages(microphone, camera);
  const retryable = [microphone, camera].some((problem) => problem !== null && problem.code !== "insecure");
  return (
    <div role="status" data-testid="device-problems">
      {messages.length > 0 && (
        <div className="banner">
          <TriangleAlert className="i" aria-hidden="true" />
          <div className="grow">
            {messages.map((message) => (
              <p key={message}>{message}</p>
            ))}
            <p className="mut">You can join all the same; you then watch and listen.</p>
          </div>
          {retryable && (
            <button type="button" className="btn" onClick={onRetry}>
              Try again
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** One sentence for both devices where they have the same trouble. */
function deviceMessages(microphone: DeviceProblem | null, camera: DeviceProblem | null): string[] {
  if (microphone !== null && microphone.code === camera?.code) {
    switch (microphone.code) {
      case "refused":
        return [
          "The browser may not use your microphone and camera. Allow both in the settings beside the page's address, then try again.",
        ];
      case "missing":
        return ["We found no microphone and no camera. Plug them in, or go on without."];
      case "insecure":
        return [
          "Browsers allow microphones and cameras only on secure pages. Open this class with an address that begins with https://.",
        ];
    }
  }
  return [microphone, camera].flatMap((problem) => problem?.message ?? []);
}
