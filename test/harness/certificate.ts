import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its private key, as PEM texts. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  /** Makes a certificate that this one vouches for. */
  issue(name: string): TestCertificate;
}

/** A certificate for `localhost` and 127.0.0.1 that vouches for itself, good for a day. Node makes keys but no certificates. */
export function createCertificate(name: string): TestCertificate {
  return make(name);
}

interface Issuer {
  readonly name: string;
  readonly privateKey: KeyObject;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** DER tags (ITU-T X.690) and object identifiers, as far as a small certificate needs them (RFC 5280, section 4.1). */
const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const BOOLEAN = 0x01;
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

function make(name: string, issuer?: Issuer): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = issuer ?? { name, privateKey };
  const algorithm = der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from(ECDSA_WITH_SHA256)));
  const content = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    // A positive number: its first bit is 0.
    der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    nameOf(signer.name),
    der(SEQUENCE, utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, ...extensions(issuer === undefined))),
  );
  const signature = sign("sha256", content, { key: signer.privateKey, dsaEncoding: "der" });
  const certificate = der(SEQUENCE, content, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  return {
    cert: pem("CERTIFICATE", certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    issue: (other) => make(other, { name, privateKey }),
  };
}

function extensions(authority: boolean): Buffer[] {
  const names = der(
    SEQUENCE,
    // dNSName and iPAddress of GeneralName.
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  );
  const constraints = der(SEQUENCE, ...(authority ? [der(BOOLEAN, Buffer.from([0xff]))] : []));
  return [extension(BASIC_CONSTRAINTS, constraints), extension(SUBJECT_ALT_NAME, names)];
}

function extension(identifier: readonly number[], value: Buffer): Buffer {
  return der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from(identifier)), der(OCTET_STRING, value));
}

function nameOf(text: string): Buffer {
  const attribute = der(
    SEQUENCE,
    der(OBJECT_IDENTIFIER, Buffer.from(COMMON_NAME)),
    der(UTF8_STRING, Buffer.from(text)),
  );
  return der(SEQUENCE, der(SET, attribute));
}

/** `YYMMDDHHMMSSZ`. */
function utcTime(time: number): Buffer {
  const digits = new Date(time).toISOString().replaceAll(/[-:T]/g, "").slice(2, 14);
  return der(UTC_TIME, Buffer.from(`${digits}Z`));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), content]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
