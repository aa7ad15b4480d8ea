/** At the door: your name, your devices, a look in the mirror. Nobody sees or hears you until you join. */
import { ClassroomError, readInvite, type Classroom, type ClassroomState, type Role } from "@lyceum/sdk";
import { Headphones, Mic, Video, Volume2 } from "lucide-react";
import { useEffect, useId, useRef, useState, type SubmitEvent } from "react";
import { Mark } from "../Mark";
import { useInviteInAddress } from "./classroom";
import { DeviceSelect, useDeviceChoices } from "./DeviceSelect";
import { LevelMeter } from "./LevelBar";
import { Mirror } from "./Mirror";
import { playTestSound } from "./testSound";
import { WaitingRoom } from "./WaitingRoom";
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
  const role = invite === null ? null : readInvite(invite).role;
  const onlyWatches = role === "observer";

  useEffect(() => {
    document.title = `Join ${room} · Lyceum`;
  }, [room]);

  const usesDevices = invite !== null && !onlyWatches;
  useEffect(() => {
    if (!usesDevices) return;
    // The browser asks for permission here, where the person sees why.
    void classroom.setMicrophone(true);
    void classroom.setCamera(true);
  }, [classroom, usesDevices]);

  if (invite === null) return <NoInvite room={room} />;
  if (connection.phase === "waiting") return <WaitingRoom classroom={classroom} state={state} />;

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
          <p className="lead">{invitedAs(role)}</p>
          {!onlyWatches && <Mirror classroom={classroom} me={me} />}
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
          {!onlyWatches && (
            <>
              <div className="field">
                <DeviceSelect
                  label="Microphone"
                  icon={<Mic className="i s" aria-hidden="true" />}
                  choices={devices.microphones}
                  chosen={me.microphone.deviceId}
                  onChoose={(deviceId) => void classroom.chooseMicrophone(deviceId)}
                />
                <LevelMeter
                  track={me.microphone.on ? (me.microphone.track?.mediaStreamTrack ?? null) : null}
                />
              </div>
              <DeviceSelect
                label="Camera"
                icon={<Video className="i s" aria-hidden="true" />}
                choices={devices.cameras}
                chosen={me.camera.deviceId}
                onChoose={(deviceId) => void classroom.chooseCamera(deviceId)}
              />
            </>
          )}
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

function invitedAs(role: Role | null): string {
  switch (role) {
    case null:
    case "learner":
      return "You are invited to this class.";
    case "observer":
      return "You are invited to watch and listen.";
    default:
      return `You are invited as ${roleWord(role).toLowerCase()}.`;
  }
}
