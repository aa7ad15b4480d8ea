/** At the door: your name, your devices, a look in the mirror. Nobody sees or hears you until you join. */
import {
  ClassroomError,
  listDevices,
  mediaDevices,
  noDevices,
  readInvite,
  watchDevices,
  type Classroom,
  type ClassroomState,
  type DeviceChoice,
  type DeviceProblem,
} from "@lyceum/sdk";
import { Headphones, Mic, MicOff, TriangleAlert, Video, VideoOff, Volume2 } from "lucide-react";
import { useEffect, useId, useRef, useState, type SubmitEvent, type ReactNode } from "react";
import { Mark } from "../Mark";
import { useInviteInAddress } from "./classroom";
import { LevelMeter } from "./LevelBar";
import { PictureView } from "./PictureView";
import { playTestSound } from "./testSound";
import { roleWord } from "./words";

export function PreJoin({ classroom, state }: { classroom: Classroom; state: ClassroomState }) {
  const { me, room, connection } = state;
  const addressInvite = useInviteInAddress();
  const invite = addressInvite ?? classroom.rememberedInvite;
  const joining = connection.phase === "joining";
  const [name, setName] = useState(me.name);
  const [nameProblem, setNameProblem] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const nameInput = useRef<HTMLInputElement>(null);
  const devices = useDeviceChoices(me.microphone.track, me.camera.track);
  const id = useId();

  useEffect(() => {
    document.title = `Join ${room} · Lyceum`;
  }, [room]);

  useEffect(() => {
    // The browser asks for permission here, where the person sees why.
    void classroom.setMicrophone(true);
    void classroom.setCamera(true);
  }, [classroom]);

  if (invite === null) return <NoInvite room={room} />;
  const role = readInvite(invite).role;

  async function join(audioOnly: boolean) {
    if (joining || invite === null) return;
    if (name.trim() === "") {
      setNameProblem("Type your name first, so that people know who you are.");
      nameInput.current?.focus();
      return;
    }
    setNameProblem(null);
    setProblem(null);
    try {
      if (audioOnly) await classroom.setCamera(false);
      classroom.setPicturesPaused(audioOnly);
      await classroom.join({ invite, name: name.trim() });
    } catch (error) {
      if (!(error instanceof ClassroomError)) throw error;
      if (error.code === "name_invalid") {
        setNameProblem(error.message);
        nameInput.current?.focus();
      } else {
        setProblem(error.message);
      }
    }
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    void join(false);
  }

  return (
    <div className="door" data-testid="prejoin">
      <header className="bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
      </header>
      <main className="pre">
        <section className="hello">
          <h1 dir="auto">{room}</h1>
          <p className="lead">
            {role === null || role === "learner"
              ? "You are invited to this class."
              : `You are invited as ${roleWord(role).toLowerCase()}.`}
          </p>
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
        </section>
        <form className="card join" aria-label="Join the class" onSubmit={submit} noValidate>
          <div className="field">
            <label htmlFor={`${id}-name`}>Your name in this class</label>
            <input
              ref={nameInput}
              id={`${id}-name`}
              className="input"
              data-testid="name-input"
              value={name}
              onChange={(event) => setName(event.target.value)}
              autoComplete="name"
              maxLength={80}
              dir="auto"
              required
              aria-invalid={nameProblem !== null}
              aria-describedby={`${id}-hint`}
            />
            <p id={`${id}-hint`} className={nameProblem === null ? "hint" : "hint bad"} role="status">
              {nameProblem ?? "Everyone in the room sees it."}
            </p>
          </div>
          <div className="field">
            <DeviceSelect
              label="Microphone"
              icon={<Mic className="i s" aria-hidden="true" />}
              choices={devices.microphones}
              chosen={me.microphone.deviceId}
              onChoose={(deviceId) => void classroom.chooseMicrophone(deviceId)}
            />
            <LevelMeter track={me.microphone.on ? (me.microphone.track?.mediaStreamTrack ?? null) : null} />
          </div>
          <DeviceSelect
            label="Camera"
            icon={<Video className="i s" aria-hidden="true" />}
            choices={devices.cameras}
            chosen={me.camera.deviceId}
            onChoose={(deviceId) => void classroom.chooseCamera(deviceId)}
          />
          <div className="pair">
            <DeviceSelect
              label="Speaker"
              icon={<Headphones className="i s" aria-hidden="true" />}
              choices={devices.speakers}
              chosen={state.speakerId ?? devices.speakers[0]?.id ?? null}
              onChoose={(deviceId) => void classroom.chooseSpeaker(deviceId)}
            />
            <button
              type="button"
              className="btn pair-btn"
              onClick={() => void playTestSound(state.speakerId)}
            >
              <Volume2 className="i s" aria-hidden="true" />
              Play a sound
            </button>
          </div>
          {problem !== null && (
            <p className="bad" role="alert" data-testid="join-problem">
              {problem}
            </p>
          )}
          <div className="go">
            <button className="btn main big" data-testid="join-button" aria-disabled={joining}>
              {joining ? "Joining…" : "Join the class"}
            </button>
            <button
              type="button"
              className="btn big"
              data-testid="audio-only"
              aria-disabled={joining}
              onClick={() => void join(true)}
            >
              <Headphones className="i" aria-hidden="true" />
              Join audio only
            </button>
          </div>
          <p className="s13 mut">
            Nobody sees or hears you until you join. Audio only uses about a tenth of what pictures do.
          </p>
        </form>
      </main>
    </div>
  );
}

function NoInvite({ room }: { room: string }) {
  return (
    <div className="door" data-testid="no-invite">
      <header className="bar">
        <Mark />
        <p className="wordmark">Lyceum</p>
      </header>
      <main className="door-main">
        <section className="card door-card">
          <h1>This link has no invite</h1>
          <p className="lead">
            To enter <b dir="auto">{room}</b> you need the whole invite link; the part after # is missing. Ask
            your teacher for it.
          </p>
          <p>
            <a className="btn" href="/">
              To the start page
            </a>
          </p>
        </section>
      </main>
    </div>
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

interface DeviceSelectProps {
  label: string;
  icon: ReactNode;
  choices: readonly DeviceChoice[];
  chosen: string | null;
  onChoose: (deviceId: string) => void;
}

function DeviceSelect({ label, icon, choices, chosen, onChoose }: DeviceSelectProps) {
  const id = useId();
  const known = choices.some((choice) => choice.id === chosen);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="sel">
        {icon}
        <select
          id={id}
          value={known ? (chosen ?? "") : ""}
          disabled={choices.length === 0}
          onChange={(event) => onChoose(event.target.value)}
        >
          {!known && <option value="">{choices.length === 0 ? "As your system has it" : "Choose…"}</option>}
          {choices.map((choice) => (
            <option key={choice.id} value={choice.id}>
              {choice.label}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

/** Asked again when a device is allowed: only then does the browser tell its name. */
function useDeviceChoices(microphone: unknown, camera: unknown) {
  const [choices, setChoices] = useState(noDevices);
  useEffect(() => {
    if (mediaDevices() === null) return;
    let shown = true;
    const refresh = () =>
      void listDevices().then((found) => {
        if (shown) setChoices(found);
      });
    refresh();
    const unwatch = watchDevices(refresh);
    return () => {
      shown = false;
      unwatch();
    };
  }, [microphone, camera]);
  return choices;
}
