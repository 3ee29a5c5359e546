// The HPKE library keeps the order of P-256 as a BigInt, made when the script
// loads. Sealing never uses it, but WebViews before Chrome 67 have no BigInt
// and would stop there. A stand-in lets them load; this import must come first.
interface MaybeBigInt {
  BigInt?: unknown;
}

const scope = self as unknown as MaybeBigInt;
if (typeof scope.BigInt === "undefined") {
  scope.BigInt = () => 0;
}

export {};
