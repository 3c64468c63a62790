import type { ReactNode } from "react";

function Icon({ children, className = "size-5" }: { children: ReactNode; className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      className={className}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.9"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const ShowsIcon = () => (
  <Icon>
    <path d="M4 19c0-6 3.6-10 8-10s8 4 8 10M4 12.5C5.5 8 8.5 5 12 5s6.5 3 8 7.500M8.5 19c0-3 1.5-5 3.5-5s3.5 2 3.5 5" />
  </Icon>
);
export const TicketIcon = () => (
  <Icon>
    <path d="M3.5 8.500V6.500h17v2a3.5 3.5 0 0 0 0 7v2h-17v-2a3.5 3.5 0 0 0 0-7ZM14.5 6.500v2.500m0 2v2m0 2v2.5" />
  </Icon>
);
export const ListIcon = () => (
  <Icon>
    <path d="M5 4.500h14v15l-2.3-1.5-2.4 1.5-2.3-1.5-2.3 1.5-2.4-1.500L5 19.500zM8.5 9h7m-7 4h5" />
  </Icon>
);
export const PersonIcon = () => (
  <Icon>
    <circle cx="12" cy="8.5" r="4" />
    <path d="M4.5 20c.8-4 3.8-6 7.5-6s6.7 2 7.5 6" />
  </Icon>
);
export const PeopleIcon = ({ className = "size-5" }: { className?: string }) => (
  <Icon className={className}>
    <circle cx="9" cy="9" r="3.5" />
    <path d="M2.5 19.500c.6-3.6 3.2-5.3 6.5-5.300s5.9 1.7 6.5 5.300M15.5 5.800a3.5 3.5 0 0 1 0 6.400m2.3 2.500c2 .8 3.3 2.4 3.7 4.8" />
  </Icon>
);
export const BackIcon = () => (
  <Icon>
    <path d="m14.5 5-7 7 7 7" />
  </Icon>
);
export const ArrowIcon = () => (
  <Icon>
    <path d="M5 12h13m-5.5-6 6 6-6 6" />
  </Icon>
);
export const CheckIcon = ({ className = "size-5" }: { className?: string }) => (
  <Icon className={className}>
    <path d="m5 12.5 4.5 4.500L19 7.5" />
  </Icon>
);

/** The mark: a socket, which is also a seat. */
export function Mark({ className = "size-7" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect x="1" y="1" width="30" height="30" rx="9" className="fill-lamp" />
      <rect x="9.5" y="9" width="4" height="9" rx="2" className="fill-on-lamp" />
      <rect x="18.5" y="9" width="4" height="9" rx="2" className="fill-on-lamp" />
      <path d="M10 23h12" className="stroke-on-lamp" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}
