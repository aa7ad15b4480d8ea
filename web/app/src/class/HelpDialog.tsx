/** Help: the keys of the keyboard and how to turn them off, and what to try when something does not work. */
import { useEffect, useRef } from "react";
import { setShortcutsOn, useShortcutsOn } from "./useShortcuts";

const keys = [
  ["M", "Microphone on or off"],
  ["V", "Camera on or off"],
  ["S", "Share your screen, or stop"],
  ["H", "Raise your hand, or lower it"],
  ["C", "Chat"],
  ["P", "Polls and timer"],
  ["T", "Tables, as groups are called"],
  ["R", "Who is here"],
  ["F6", "To the next part of the page"],
  ["?", "This help"],
] as const;

export function HelpDialog({ shown, onClose }: { shown: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const shortcutsOn = useShortcutsOn();

  useEffect(() => {
    if (shown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [shown]);

  return (
    <dialog
      ref={dialog}
      className="card help"
      aria-labelledby="help-title"
      onClose={onClose}
      data-testid="help"
    >
      <h2 id="help-title">Help</h2>
      <dl className="keylist">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input
          type="checkbox"
          checked={shortcutsOn}
          onChange={(event) => setShortcutsOn(event.target.checked)}
        />
        Single keys work while you are not typing
      </label>
      <p className="mut">
        Nobody hears you? Look at the bar in the microphone key: it moves when you speak. You hear nobody?
        Check the speaker of your system. A slow network? Turn your camera off first.
      </p>
      <button className="btn main" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
