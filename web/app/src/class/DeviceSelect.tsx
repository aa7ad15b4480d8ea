/** The choice of one kind of device, and the list of those that exist. */
import { listDevices, mediaDevices, noDevices, watchDevices, type DeviceChoice } from "@lyceum/sdk";
import { useEffect, useId, useState, type ReactNode } from "react";

interface DeviceSelectProps {
  label: string;
  icon: ReactNode;
  choices: readonly DeviceChoice[];
  chosen: string | null;
  onChoose: (deviceId: string) => void;
}

export function DeviceSelect({ label, icon, choices, chosen, onChoose }: DeviceSelectProps) {
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
export function useDeviceChoices(microphone: unknown, camera: unknown) {
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
