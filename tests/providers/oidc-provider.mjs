// An OpenID Connect provider for tests: oidc-provider, one client for each algorithm, access tokens as RFC 9068 has them.
//   node oidc-provider.mjs PORT KEYS.json      KEYS.json is made where it is not there; another file is a rotation
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";

// From where it was installed: NODE_PATH counts for require alone.
const { default: Provider } = await import(createRequire(process.env.OIDC_MODULES + "/").resolve("oidc-provider"));

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const kinds = {
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};

function makeKeys() {
  const name = Math.random().toString(36).slice(2, 8);
  return Object.entries(kinds).map(([alg, [kind, options]]) => ({
    ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }),
    alg, use: "sig", kid: `${alg}-${name}`,
  }));
}

if (!existsSync(file)) writeFileSync(file, JSON.stringify({ keys: makeKeys() }));

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(file)),
  clients: Object.keys(kinds).map((alg) => ({
    client_id: alg, client_secret: "secret", grant_types: ["client_credentials"],
    redirect_uris: [], response_types: [],
  })),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "https://druid.test",
      getResourceServerInfo: (context, resource, client) => ({
        scope: "", audience: "druid", accessTokenFormat: "jwt", jwt: { sign: { alg: client.clientId } },
      }),
    },
  },
  extraTokenClaims: () => ({ groups: ["reader"], realm_access: { roles: ["reader"] } }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log(`listening on ${issuer}`));
