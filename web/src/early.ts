// Early: digits that are typed while the pad turns to its next step. They are
// kept in order and given to that step; if they cannot all be kept, none is, for
// a PIN with a digit missing would be another PIN.

const MOST = 6;

export class Early {
  private digits: string[] = [];
  private spoilt = false;

  /** Keeps a digit; an empty one takes the last back. */
  add(digit: string): void {
    if (digit === "") this.digits.pop();
    else if (this.digits.length === MOST) this.spoilt = true;
    else this.digits.push(digit);
  }

  /** Something came that cannot be kept. */
  spoil(): void {
    this.spoilt = true;
  }

  /** What was kept, and forgets it; null if something was lost. */
  take(): string[] | null {
    const out = this.spoilt ? null : this.digits;
    this.clear();
    return out;
  }

  clear(): void {
    this.digits = [];
    this.spoilt = false;
  }
}
