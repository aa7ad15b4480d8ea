/** Bars of a connection, 0 to 4 of them full. */
const heights = [5, 9.4, 13.8, 18.2];

export function Signal({ bars, small = false }: { bars: 0 | 1 | 2 | 3 | 4; small?: boolean }) {
  return (
    <svg className={small ? "i xs" : "i s"} viewBox="0 0 24 24" aria-hidden="true">
      {heights.map((height, index) => (
        <rect
          key={height}
          x={2 + index * 5.5}
          y={21 - height}
          width="3.6"
          height={height}
          rx="1"
          strokeWidth="1.4"
          fill={index < bars ? "currentColor" : "none"}
          strokeOpacity={index < bars ? 1 : 0.75}
        />
      ))}
    </svg>
  );
}
