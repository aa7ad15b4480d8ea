/** A notice: on the desk it takes the place of your name, on a phone it stands below the bar. */
import { dismissNotice, type Notice } from "../lib/notices";

export function NoticeView({ notice }: { notice: Notice }) {
  const { text, action } = notice;
  return (
    <div className="note" data-testid="notice">
      <p>{text}</p>
      {action !== undefined && (
        <button
          className="btn small"
          onClick={() => {
            dismissNotice();
            action.run();
          }}
        >
          {action.word}
        </button>
      )}
    </div>
  );
}

export function PhoneNote({ notice }: { notice: Notice }) {
  return (
    <div className="phone-note">
      <NoticeView notice={notice} />
    </div>
  );
}
