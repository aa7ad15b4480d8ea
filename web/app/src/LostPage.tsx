/** For addresses that lead nowhere. */
import { Door } from "./Door";

export function LostPage() {
  return (
    <Door title="There is nothing here">
      <p className="lead">
        A class has an address like <code>/c/name-of-class</code>. Ask your teacher for the invite link.
      </p>
      <p>
        <a className="btn" href="/">
          To the start page
        </a>
      </p>
    </Door>
  );
}
