/** Catches a fault of the page itself: says so, and offers the way back into the class. */
import { Component, type ReactNode } from "react";
import { Door } from "./Door";

export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Door title="This page has stopped working">
        <p className="lead">It is our fault, not yours. Reload the page: you come back to the same class.</p>
        <p>
          <button className="btn main big" onClick={() => window.location.reload()}>
            Reload the page
          </button>
        </p>
      </Door>
    );
  }
}
