/** One question to answer. Radios and boxes are the browser's own, so that keys and screen readers know them. */
import type { Answer, Item } from "../polls";
import { columnsOf, optionsOf } from "../polls";

interface Props {
  name: string;
  number: number | null;
  item: Item;
  answer: Answer;
  onChange: (answer: Answer) => void;
}

export function Question({ name, number, item, answer, onChange }: Props) {
  return (
    <fieldset className="question">
      <legend>
        {number !== null && `${number}. `}
        {item.text}
      </legend>
      <Field name={name} item={item} answer={answer} onChange={onChange} />
    </fieldset>
  );
}

function Field({ name, item, answer, onChange }: Omit<Props, "number">) {
  const chosen = answer?.kind === "options" ? answer.options : [];
  switch (item.kind) {
    case "single":
    case "true_false":
    case "yes_no":
      return optionsOf(item).map((option, n) => (
        <label className="opt" key={n}>
          <input
            type="radio"
            name={name}
            checked={chosen.includes(n)}
            onChange={() => onChange({ kind: "options", options: [n] })}
          />
          <span>{option}</span>
        </label>
      ));
    case "multi":
      return optionsOf(item).map((option, n) => (
        <label className="opt" key={n}>
          <input
            type="checkbox"
            checked={chosen.includes(n)}
            onChange={(event) =>
              onChange({
                kind: "options",
                options: event.target.checked
                  ? [...chosen, n].sort((a, b) => a - b)
                  : chosen.filter((one) => one !== n),
              })
            }
          />
          <span>{option}</span>
        </label>
      ));
    case "scale":
      return (
        <div className="scale">
          {columnsOf(item).map((step, n) => (
            <label className="opt" key={step}>
              <input
                type="radio"
                name={name}
                checked={answer?.kind === "number" && answer.number === item.from + n}
                onChange={() => onChange({ kind: "number", number: item.from + n })}
              />
              <span>{step}</span>
            </label>
          ))}
        </div>
      );
    case "numeric":
      return (
        <input
          className="input"
          inputMode="decimal"
          aria-label="Your number"
          defaultValue={answer?.kind === "number" ? String(answer.number / 10 ** item.decimals) : ""}
          onChange={(event) => {
            const text = event.target.value.replace(",", ".");
            const number = Math.round(Number(text) * 10 ** item.decimals);
            onChange(text.trim() === "" || !Number.isFinite(number) ? null : { kind: "number", number });
          }}
        />
      );
    case "short_text":
    case "long_text":
      return (
        <textarea
          className="input"
          rows={item.kind === "short_text" ? 2 : 5}
          aria-label="Your answer"
          dir="auto"
          maxLength={4_000}
          value={answer?.kind === "text" ? answer.text : ""}
          onChange={(event) =>
            onChange(event.target.value === "" ? null : { kind: "text", text: event.target.value })
          }
        />
      );
    case "ordering":
    case "matching":
    case "hotspot":
      return <p className="mut">This page cannot show this kind of question yet.</p>;
  }
}
