import { Minus, Plus } from "lucide-react";
import type { ReactNode } from "react";

interface StepperProps {
  value: number;
  most: number;
  /** What is counted, as in "One minute", and the word for not so many of it. */
  one: string;
  less: "less" | "fewer";
  onChange: (value: number) => void;
  /** The value, in words. */
  children: ReactNode;
}

/** A number of at least one, set by one less and one more. */
export function Stepper({ value, most, one, less, onChange, children }: StepperProps) {
  return (
    <>
      <button
        type="button"
        className="ib"
        aria-label={`${one} ${less}`}
        onClick={() => onChange(Math.max(1, value - 1))}
      >
        <Minus className="i s" aria-hidden="true" />
      </button>
      {children}
      <button
        type="button"
        className="ib"
        aria-label={`${one} more`}
        onClick={() => onChange(Math.min(most, value + 1))}
      >
        <Plus className="i s" aria-hidden="true" />
      </button>
    </>
  );
}
