/** The sign of Lyceum: a lamp over a desk. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 26 26" aria-hidden="true">
      <rect width="26" height="26" rx="6" fill="#15392D" />
      <path d="M7 14a6 6 0 0 1 12 0z" fill="#FFC53D" />
      <path d="M5 18h16" stroke="#F1F7F2" strokeWidth="2.4" strokeLinecap="round" />
    </svg>
  );
}
