//! The catalogue's people and their tokens: how a token of `hostile-http.jsonl` is made
//!
//! For test binaries to include beside `issuer.rs`.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::issuer::{TestIssuer, TestKey, encode};

/// Whose tokens the catalogue's people bring
pub(crate) const ISSUER: &str = "https://id.test/realms/data";
/// Another issuer that is trusted too
pub(crate) const OTHER_ISSUER: &str = "https://id.test/realms/other";

/// The keys that recipes speak of
pub(crate) struct Cast {
    pub(crate) main: TestKey,
    pub(crate) alias: TestKey,
    pub(crate) es: TestKey,
    attacker: TestKey,
    k256: TestKey,
    pub(crate) other: TestIssuer,
}

pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| {
        let main = TestKey::generate("RS256", "key-main");
        Cast {
            alias: main.renamed("RS256", "key-alias"),
            main,
            es: TestKey::generate("ES256", "key-es"),
            attacker: TestKey::generate("RS256", "key-main"),
            k256: TestKey::generate("ES256K", "key-k256"),
            other: TestIssuer::new(OTHER_ISSUER, &["ES256"]),
        }
    })
}

/// The public key that a recipe puts into the issuer's set, strange as it is
pub(crate) fn strange_jwk(name: &str) -> Option<Value> {
    let ec = |x: [u8; 32], y: [u8; 32]| json!({"kty": "EC", "crv": "P-256", "kid": name, "x": encode(x), "y": encode(y)});
    let main = cast().main.jwk();
    match name {
        "rsa16384" => Some(json!({"kty": "RSA", "kid": name, "n": encode([0xFB; 2048]), "e": "AQAB"})),
        "rsa_e1" => Some(json!({"kty": "RSA", "kid": name, "n": main["n"], "e": "AQ"})),
        "ec_offcurve" => Some(ec([1; 32], [2; 32])),
        "ec_infinity" => Some(ec([0; 32], [0; 32])),
        "attacker_k256" => Some(cast().k256.jwk()),
        _ => None,
    }
}

/// What a recipe takes from its surroundings
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    /// The second of `{{NOW}}`
    pub(crate) now: u64,
    /// A port of loopback on which nobody may be asked for anything
    pub(crate) trap_port: u16,
}

/// How a token is made: a patch over Alice's valid one
pub(crate) struct Recipe<'a> {
    recipe: &'a Value,
    here: Here,
}

impl<'a> Recipe<'a> {
    /// A recipe, and where it is followed
    pub(crate) fn new(recipe: &'a Value, here: Here) -> Self {
        Self { recipe, here }
    }

    fn word(&self, name: &str) -> &'a str {
        self.recipe[name].as_str().unwrap_or_default()
    }

    /// The token
    pub(crate) fn token(&self) -> String {
        if let Some(raw) = self.recipe["raw"].as_str() {
            return raw.to_owned();
        }
        if self.recipe["jwe"] == true {
            return self.jwe();
        }
        let (header, claims) = (self.header(), self.payload());
        let signed = format!("{header}.{claims}");
        let signature = self.signature(signed.as_bytes());
        if self.word("serialisation") == "general" {
            let one = json!({"protected": header, "signature": signature});
            return json!({"payload": claims, "signatures": [one, one]}).to_string();
        }
        let separator = if self.word("sig") == "no_dot" { "" } else { "." };
        format!(
            "{}{}{separator}{signature}",
            self.word("prefix"),
            self.changed_after_signing(&header, &claims)
        )
    }

    fn jwe(&self) -> String {
        let mut header = json!({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "key-main"});
        if self.recipe["zip_bomb"] == true {
            header["zip"] = "DEF".into();
        }
        if let Some(count) = self.recipe.get("p2c") {
            header = json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": count, "p2s": "AAAA"});
        }
        let parts = [header.to_string().into_bytes(), vec![1; 256], vec![2; 12], vec![0; 1000], vec![3; 16]];
        parts.map(encode).join(".")
    }

    fn changed_after_signing(&self, header: &str, claims: &str) -> String {
        let changed = |part: &str, from: &str, to: &str| {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert!(text.contains(from));
            encode(text.replace(from, to))
        };
        match (self.word("payload_b64"), self.word("header_b64")) {
            ("tamper_sub_admin", _) => format!("{header}.{}", changed(claims, "\"alice\"", "\"admin\"")),
            (_, "tamper_kid") => format!("{}.{claims}", changed(header, "key-main", "key-alias")),
            _ => format!("{header}.{claims}"),
        }
    }

    fn signs_with_es(&self) -> bool {
        self.recipe["issuer_alg"] == "ES256" || self.recipe["header"]["set"]["alg"] == "ES256"
    }

    fn header(&self) -> String {
        let key = if self.signs_with_es() { &cast().es } else { &cast().main };
        let kid = match strange_jwk(self.word("key")) {
            Some(jwk) => jwk["kid"].as_str().unwrap().to_owned(),
            None => key.kid.clone(),
        };
        let alg = if self.word("key").starts_with("ec_") { "ES256" } else { &key.algorithm };
        let mut header = json!({"alg": alg, "kid": kid, "typ": "JWT"});
        if self.recipe["header"]["embed_x5c"] == true {
            header["x5c"] = json!([STANDARD.encode(cast().attacker.public_der())]);
        }
        encode(self.patched(header, "header"))
    }

    fn payload(&self) -> String {
        if self.word("payload") == "unencoded" {
            return "unencoded".to_owned();
        }
        let now = self.here.now;
        let claims = json!({
            "iss": ISSUER, "aud": "druid", "sub": "alice", "roles": ["writer"],
            "iat": now, "nbf": now, "exp": now + 300, "jti": "1",
        });
        let text = self.patched(claims, "claims");
        if self.word("payload_b64") == "padded" {
            let padded = URL_SAFE.encode([text.as_slice(), &b"  "[..(4 - text.len() % 3) % 3]].concat());
            assert!(padded.ends_with('='), "{padded}");
            return padded;
        }
        encode(text)
    }

    fn patched(&self, base: Value, part: &str) -> Vec<u8> {
        patched(base, &self.recipe[part], self.here)
    }

    fn signature(&self, signed: &[u8]) -> String {
        let bytes = self.signature_bytes(signed);
        let text = encode(&bytes);
        match self.word("sig") {
            "empty" | "no_dot" => String::new(),
            "keep" => signature_of(&Recipe::new(&json!({}), self.here).token()),
            "from_bob" => {
                signature_of(&Recipe::new(&json!({"claims": {"set": {"sub": "bob"}}}), self.here).token())
            }
            "std_b64" => STANDARD_NO_PAD.encode(bytes),
            "trailing_bits" => with_trailing_bit(&text),
            "newline" => [text.split_at(20).0, text.split_at(20).1].join("\n"),
            _ => text,
        }
    }

    fn signature_bytes(&self, signed: &[u8]) -> Vec<u8> {
        let signature = self.signed_by_key(signed);
        match self.word("sig") {
            "trunc1" => signature[..signature.len() - 1].to_vec(),
            "extend1" => [signature, vec![0]].concat(),
            "zeros" => vec![0; signature.len()],
            "order_n" => [P256_ORDER, P256_ORDER].concat(),
            "der" => der(&signature),
            "s_negated" => [&signature[..32], &order_minus(&signature[32..])].concat(),
            _ => signature,
        }
    }

    fn signed_by_key(&self, signed: &[u8]) -> Vec<u8> {
        let cast = cast();
        let pem = format!(
            "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
            STANDARD.encode(cast.main.public_der())
        );
        match self.word("key") {
            "attacker" => cast.attacker.signature(signed),
            "attacker_k256" => cast.k256.signature(signed),
            "public_der_as_hmac" => self.hmac(&cast.main.public_der(), signed),
            "public_pem_as_hmac" => self.hmac(pem.as_bytes(), signed),
            "public_jwk_as_hmac" => self.hmac(cast.main.jwk().to_string().as_bytes(), signed),
            "empty_hmac" => self.hmac(b"", signed),
            "secret_hmac" => self.hmac(b"secret", signed),
            "rsa16384" => vec![0x01; 2048],
            "rsa_e1" => padded_digest(signed),
            "ec_offcurve" | "ec_infinity" => [[0; 31].as_slice(), &[1], &[0; 31], &[1]].concat(),
            "" | "main" if self.signs_with_es() => cast.es.signature(signed),
            "" | "main" => cast.main.signature(signed),
            unknown => panic!("unknown key {unknown}"),
        }
    }

    fn hmac(&self, secret: &[u8], signed: &[u8]) -> Vec<u8> {
        let algorithm = match self.recipe["header"]["set"]["alg"].as_str().unwrap() {
            "HS384" => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, secret), signed).as_ref().to_vec()
    }
}

/// Applies `set`, `remove`, `raw`, `raw_set`, `raw_append`, `raw_suffix`, `pad` and `encode`
fn patched(base: Value, patch: &Value, here: Here) -> Vec<u8> {
    let mut object = base.as_object().unwrap().clone();
    set(&mut object, &patch["set"], here);
    for name in patch["remove"].as_array().into_iter().flatten() {
        object.shift_remove(name.as_str().unwrap()).unwrap();
    }
    if let Some(length) = patch["pad"].as_u64() {
        object.insert("pad".to_owned(), "p".repeat(length as usize).into());
    }
    let raw_set = patch["raw_set"].as_object();
    for name in raw_set.into_iter().flat_map(Map::keys) {
        object.shift_remove(name);
    }
    let mut text = Value::Object(object).to_string();
    for (name, value) in raw_set.into_iter().flatten() {
        text = appended(&text, &format!("\"{name}\":{}", value.as_str().unwrap()));
    }
    if let Some(raw) = patch["raw_append"].as_str() {
        text = appended(&text, &macros(raw, here));
    }
    text = patch["raw"].as_str().map_or(text, |raw| macros(raw, here))
        + &macros(patch["raw_suffix"].as_str().unwrap_or_default(), here);
    match patch["encode"].as_str() {
        Some("utf-16-le") => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Some(other) => panic!("unknown encoding {other}"),
        None => latin1(&text),
    }
}

fn set(object: &mut Map<String, Value>, values: &Value, here: Here) {
    for (name, value) in values.as_object().into_iter().flatten() {
        object.insert(macros(name, here), expanded(value, here));
    }
}

fn appended(object: &str, member: &str) -> String {
    format!("{},{member}}}", object.strip_suffix('}').unwrap())
}

/// Strings are bytes in the catalogue's raw texts; what JSON wrote stays UTF-8
fn latin1(text: &str) -> Vec<u8> {
    let is_bytes = text.contains('\u{ff}');
    if is_bytes { text.chars().map(|byte| byte as u32 as u8).collect() } else { text.as_bytes().to_vec() }
}

fn expanded(value: &Value, here: Here) -> Value {
    match value {
        Value::String(text) => expanded_text(text, here),
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] if text.contains("{{SEQ}}x") => sequence(text),
            values => values.iter().map(|value| expanded(value, here)).collect(),
        },
        Value::Object(members) => {
            members.iter().map(|(name, value)| (macros(name, here), expanded(value, here))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn sequence(text: &str) -> Value {
    let (prefix, count) = text.split_once("{{SEQ}}x").unwrap();
    (0..count.parse::<usize>().unwrap()).map(|number| format!("{prefix}{number}")).collect()
}

/// `{{NOW+300}}` alone is a number, everything else text
fn expanded_text(text: &str, here: Here) -> Value {
    let Some(offset) = text.strip_prefix("{{NOW").and_then(|rest| rest.strip_suffix("}}")) else {
        return macros(text, here).into();
    };
    let offset = offset.replace("LEEWAY", "30");
    let total: i64 = offset.replace('-', "+-").split('+').filter(|term| !term.is_empty()).map(number).sum();
    (here.now as i64 + total).into()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

fn macros(text: &str, here: Here) -> String {
    let mut text = text.to_owned();
    for (name, value) in [
        ("{{ISS}}", ISSUER),
        ("{{ISS_UPPER}}", &ISSUER.to_uppercase()),
        ("{{ISS_B}}", OTHER_ISSUER),
        ("{{AUD}}", "druid"),
        ("{{AUD_UPPER}}", "DRUID"),
        ("{{KID}}", "key-main"),
        ("{{KID_UPPER}}", "KEY-MAIN"),
        ("{{ALG}}", "RS256"),
        ("{{PERM_CLAIM}}", "roles"),
        ("{{TRAP_PORT}}", &here.trap_port.to_string()),
    ] {
        text = text.replace(name, value);
    }
    let text = repeated(text);
    assert!(!text.contains("{{"), "unknown macro in {text}");
    text
}

/// `{{R:3}}ab{{/R}}` is `ababab`
pub(crate) fn repeated(mut text: String) -> String {
    while let Some((before, rest)) = text.split_once("{{R:") {
        let (count, rest) = rest.split_once("}}").unwrap();
        let (unit, after) = rest.split_once("{{/R}}").unwrap();
        text = format!("{before}{}{after}", unit.repeat(count.parse().unwrap()));
    }
    text
}

fn signature_of(token: &str) -> String {
    token.rsplit_once('.').unwrap().1.to_owned()
}

/// The same bytes with a bit set that decoding throws away
fn with_trailing_bit(text: &str) -> String {
    let mut text = text.as_bytes().to_vec();
    let last = text.pop().unwrap();
    let value = BASE64URL.iter().position(|digit| *digit == last).unwrap();
    text.push(BASE64URL[value + 1]);
    String::from_utf8(text).unwrap()
}

/// What an RSA signature is where the exponent is one: the padded digest itself
fn padded_digest(signed: &[u8]) -> Vec<u8> {
    const SHA256_PREFIX: [u8; 19] =
        [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed);
    [&[0, 1][..], &[0xFF; 202], &[0], &SHA256_PREFIX, digest.as_ref()].concat()
}

fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let stripped: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if stripped[0] >= 0x80 { vec![0] } else { Vec::new() };
        let value = [sign, stripped].concat();
        [&[2, value.len() as u8], value.as_slice()].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, body.len() as u8], body.as_slice()].concat()
}

fn order_minus(s: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = Vec::new();
    for (order, s) in P256_ORDER.iter().zip(s).rev() {
        let digit = i16::from(*order) - i16::from(*s) - borrow;
        borrow = i16::from(digit < 0);
        difference.push(digit.rem_euclid(256) as u8);
    }
    difference.into_iter().rev().collect()
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];
