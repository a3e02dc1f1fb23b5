//! One key of a JWK set (RFC 7517), read strictly
//!
//! Only public keys that can check a signature are taken. Every other key is left out with a reason, so
//! that one strange key does not cost an issuer the rest of its set. Nothing here verifies anything.

use std::fmt;

use aws_lc_rs::signature::VerificationAlgorithm;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;

/// A public key that can check signatures
pub(super) struct Jwk {
    pub(super) kid: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) material: Material,
    /// Whether the set shows the private half as well
    pub(super) leaks_private_key: bool,
}

/// The numbers of a public key
pub(super) enum Material {
    /// Modulus and exponent, big-endian
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point
    Ec { point: Vec<u8> },
    /// The 32 bytes of an Ed25519 key
    Ed { x: Vec<u8> },
}

/// Why a key of a set is not used
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not a JSON object
    #[error("is not a JSON object")]
    NotAnObject,
    /// `kty` is none that is known
    #[error("has a `kty` other than RSA, EC and OKP")]
    UnknownType,
    /// A secret, which whoever reads the set could sign with
    #[error("is symmetric (`oct`); whoever can read it could sign with it")]
    Symmetric,
    /// `crv` is none that is known
    #[error("has a `crv` other than P-256, P-384 and Ed25519")]
    UnknownCurve,
    /// `kid` is no string
    #[error("has a `kid` that is not a string")]
    BadKeyId,
    /// `use` or `key_ops` say that it is for something else
    #[error("is not for verifying signatures, by its `use` or `key_ops`")]
    OtherUse,
    /// `alg` is none that this key can be used with
    #[error("has an `alg` that does not fit it or is not supported")]
    OtherAlgorithm,
    /// A parameter is missing or not base64url of the right length
    #[error("lacks a parameter, or has one that is not base64url of the right length")]
    BadParameter,
    /// An RSA key of a size that is not used
    #[error("is an RSA key of less than 2048 or more than 8192 bits")]
    RsaSize,
    /// An RSA exponent that makes signatures forgeable or slow
    #[error("is an RSA key with an exponent that is even, below 3 or above 2^33")]
    RsaExponent,
    /// An RSA key with the structure of CVE-2017-15361
    #[error("is an RSA key that can be factored (ROCA, CVE-2017-15361)")]
    Roca,
    /// A point that is not on its curve
    #[error("is not a point of its curve")]
    NotOnCurve,
}

impl Jwk {
    /// Reads one key
    pub(super) fn read(value: &Value) -> Result<Self, KeyFault> {
        let jwk = value.as_object().ok_or(KeyFault::NotAnObject)?;
        let (material, fitting) = match text(jwk, "kty") {
            Some("RSA") => rsa(jwk)?,
            Some("EC") => ec(jwk)?,
            Some("OKP") => okp(jwk)?,
            Some("oct") => return Err(KeyFault::Symmetric),
            _ => return Err(KeyFault::UnknownType),
        };
        check_use(jwk)?;
        let algorithms = algorithms(jwk, fitting)?;
        let leaks_private_key = PRIVATE.iter().any(|name| jwk.contains_key(*name));
        Ok(Self { kid: kid(jwk)?, algorithms, material, leaks_private_key })
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Jwk").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn kid(jwk: &Map<String, Value>) -> Result<Option<String>, KeyFault> {
    let kid = jwk.get("kid").map(|kid| kid.as_str().map(str::to_owned));
    kid.map(|kid| kid.ok_or(KeyFault::BadKeyId)).transpose()
}

fn check_use(jwk: &Map<String, Value>) -> Result<(), KeyFault> {
    let signs = jwk.get("use").is_none_or(|purpose| purpose.as_str() == Some("sig"));
    let verifies = jwk.get("key_ops").is_none_or(|operations| lists(operations, "verify"));
    if signs && verifies { Ok(()) } else { Err(KeyFault::OtherUse) }
}

fn lists(values: &Value, wanted: &str) -> bool {
    values.as_array().is_some_and(|values| values.iter().any(|value| value.as_str() == Some(wanted)))
}

fn algorithms(jwk: &Map<String, Value>, fitting: &[Algorithm]) -> Result<Vec<Algorithm>, KeyFault> {
    let Some(named) = jwk.get("alg") else { return Ok(fitting.to_vec()) };
    let algorithm = named.as_str().and_then(Algorithm::from_name).filter(|named| fitting.contains(named));
    algorithm.map(|algorithm| vec![algorithm]).ok_or(KeyFault::OtherAlgorithm)
}

type Read = (Material, &'static [Algorithm]);

fn rsa(jwk: &Map<String, Value>) -> Result<Read, KeyFault> {
    let n = without_leading_zeros(bytes(jwk, "n")?);
    let e = without_leading_zeros(bytes(jwk, "e")?);
    check_rsa_size(&n)?;
    check_rsa_exponent(&e)?;
    if is_roca(&n) {
        return Err(KeyFault::Roca);
    }
    Ok((Material::Rsa { n, e }, &Algorithm::RSA))
}

fn ec(jwk: &Map<String, Value>) -> Result<Read, KeyFault> {
    let (length, algorithm, fitting): (_, &'static dyn VerificationAlgorithm, &'static [Algorithm]) =
        match text(jwk, "crv") {
            Some("P-256") => (32, &ECDSA_P256_SHA256_FIXED, &[Algorithm::Es256]),
            Some("P-384") => (48, &ECDSA_P384_SHA384_FIXED, &[Algorithm::Es384]),
            _ => return Err(KeyFault::UnknownCurve),
        };
    let (x, y) = (bytes_of_length(jwk, "x", length)?, bytes_of_length(jwk, "y", length)?);
    let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    ParsedPublicKey::new(algorithm, &point).map_err(|_| KeyFault::NotOnCurve)?;
    Ok((Material::Ec { point }, fitting))
}

fn okp(jwk: &Map<String, Value>) -> Result<Read, KeyFault> {
    if text(jwk, "crv") != Some("Ed25519") {
        return Err(KeyFault::UnknownCurve);
    }
    let x = bytes_of_length(jwk, "x", 32)?;
    ParsedPublicKey::new(&ED25519, &x).map_err(|_| KeyFault::NotOnCurve)?;
    Ok((Material::Ed { x }, &[Algorithm::EdDsa]))
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(Value::as_str)
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyFault> {
    let encoded = text(jwk, name).ok_or(KeyFault::BadParameter)?;
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| KeyFault::BadParameter)
}

fn bytes_of_length(jwk: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, KeyFault> {
    Some(bytes(jwk, name)?).filter(|bytes| bytes.len() == length).ok_or(KeyFault::BadParameter)
}

/// Java's `BigInteger` writes a sign byte that some issuers leave in
fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyFault> {
    let unused = modulus.first().map_or(8, |byte| byte.leading_zeros());
    let bits = (modulus.len() as u64 * 8).saturating_sub(u64::from(unused));
    if (2048..=8192).contains(&bits) { Ok(()) } else { Err(KeyFault::RsaSize) }
}

fn check_rsa_exponent(exponent: &[u8]) -> Result<(), KeyFault> {
    if exponent.len() > 8 {
        return Err(KeyFault::RsaExponent);
    }
    let value = exponent.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    if value % 2 == 1 && (3..=1 << 33).contains(&value) { Ok(()) } else { Err(KeyFault::RsaExponent) }
}

/// Whether the modulus is a power of 65537 modulo each of these primes, as keys of Infineon's library are
/// (Nemec and others, "The Return of Coppersmith's Attack", 2017); for any other key that is chance, with
/// odds of about one to 2^27
fn is_roca(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        is_power_of_65537(rest, *prime)
    })
}

fn is_power_of_65537(number: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == number {
            return true;
        }
        power = power * (65537 % prime) % prime;
    }
    false
}

const UNCOMPRESSED: u8 = 4;

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = r#"{"kty":"EC","crv":"P-256","kid":"k","x":"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
        "y":"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"}"#;

    fn read(text: &str) -> Result<Jwk, KeyFault> {
        Jwk::read(&serde_json::from_str(text).unwrap())
    }

    /// The P-256 key with members added or changed
    fn changed(changes: &str) -> Result<Jwk, KeyFault> {
        let mut jwk: Map<String, Value> = serde_json::from_str(P256).unwrap();
        jwk.extend(serde_json::from_str::<Map<String, Value>>(changes).unwrap());
        Jwk::read(&Value::Object(jwk))
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Jwk, KeyFault> {
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        Jwk::read(&serde_json::json!({"kty": "RSA", "n": encode(n), "e": encode(e)}))
    }

    #[test]
    fn a_key_for_signatures_is_taken() {
        assert_eq!(read(P256).unwrap().algorithms, [Algorithm::Es256]);
        assert_eq!(read(P256).unwrap().kid.as_deref(), Some("k"));
        for changes in [r#"{"use":"sig"}"#, r#"{"key_ops":["verify"]}"#, r#"{"alg":"ES256"}"#, r#"{"x5t":1}"#]
        {
            assert!(changed(changes).is_ok(), "{changes}");
        }
    }

    #[test]
    fn a_key_for_something_else_is_left_out() {
        let fault = |changes: &str| changed(changes).unwrap_err();
        assert_eq!(fault(r#"{"use":"enc"}"#), KeyFault::OtherUse);
        assert_eq!(fault(r#"{"use":null}"#), KeyFault::OtherUse);
        assert_eq!(fault(r#"{"key_ops":["sign"]}"#), KeyFault::OtherUse);
        assert_eq!(fault(r#"{"key_ops":"verify"}"#), KeyFault::OtherUse);
        assert_eq!(fault(r#"{"alg":"ES384"}"#), KeyFault::OtherAlgorithm);
        assert_eq!(fault(r#"{"alg":"HS256"}"#), KeyFault::OtherAlgorithm);
        assert_eq!(fault(r#"{"kid":1}"#), KeyFault::BadKeyId);
    }

    #[test]
    fn a_key_of_an_unknown_kind_is_left_out() {
        let fault = |changes: &str| changed(changes).unwrap_err();
        assert_eq!(fault(r#"{"kty":"AKP"}"#), KeyFault::UnknownType);
        assert_eq!(fault(r#"{"kty":"oct","k":"AAAA"}"#), KeyFault::Symmetric);
        assert_eq!(fault(r#"{"crv":"secp256k1"}"#), KeyFault::UnknownCurve);
        assert_eq!(fault(r#"{"crv":"P-521"}"#), KeyFault::UnknownCurve);
        assert_eq!(fault(r#"{"kty":"OKP","crv":"X25519"}"#), KeyFault::UnknownCurve);
        assert_eq!(fault(r#"{"crv":"P-384"}"#), KeyFault::BadParameter);
        assert_eq!(fault(r#"{"kty":"RSA"}"#), KeyFault::BadParameter);
        assert_eq!(read("1").unwrap_err(), KeyFault::NotAnObject);
    }

    #[test]
    fn a_point_off_the_curve_or_at_infinity_is_left_out() {
        let zero = URL_SAFE_NO_PAD.encode([0; 32]);
        assert_eq!(changed(&format!(r#"{{"y":"{zero}"}}"#)).unwrap_err(), KeyFault::NotOnCurve);
        assert_eq!(changed(&format!(r#"{{"x":"{zero}","y":"{zero}"}}"#)).unwrap_err(), KeyFault::NotOnCurve);
    }

    #[test]
    fn an_rsa_key_has_2048_to_8192_bits_and_an_odd_exponent_above_one() {
        let modulus = |bytes: usize, first: u8| {
            let mut modulus = vec![0xFB; bytes];
            modulus[0] = first;
            modulus
        };
        assert!(rsa(&modulus(256, 0x80), &[1, 0, 1]).is_ok());
        assert!(rsa(&[&[0], modulus(256, 0x80).as_slice()].concat(), &[0, 3]).is_ok());
        assert!(rsa(&modulus(1024, 0xFF), &[3]).is_ok());
        assert_eq!(rsa(&modulus(256, 0x7F), &[3]).unwrap_err(), KeyFault::RsaSize);
        assert_eq!(rsa(&modulus(1025, 1), &[3]).unwrap_err(), KeyFault::RsaSize);
        assert_eq!(rsa(&[], &[3]).unwrap_err(), KeyFault::RsaSize);
        for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[4, 0, 0, 0, 1], &[1; 9]] {
            let fault = rsa(&modulus(256, 0x80), exponent).unwrap_err();
            assert_eq!(fault, KeyFault::RsaExponent, "{exponent:?}");
        }
    }

    #[test]
    fn a_key_with_the_structure_of_roca_is_left_out() {
        // One more than a multiple of all the primes is a power of 65537, the zeroth, modulo each of them.
        let mut modulus = vec![0xB7; 231];
        for prime in ROCA_PRIMES {
            modulus = times(&modulus, prime);
        }
        let odd = modulus.len() - 1;
        assert_eq!(rsa(&modulus, &[1, 0, 1]).map(|jwk| jwk.algorithms.len()), Ok(6));
        modulus[odd] += 1;
        assert_eq!(rsa(&modulus, &[1, 0, 1]).unwrap_err(), KeyFault::Roca);
    }

    fn times(number: &[u8], factor: u32) -> Vec<u8> {
        let mut carry = 0;
        let mut product: Vec<u8> = Vec::new();
        for byte in number.iter().rev() {
            let digit = u32::from(*byte) * factor + carry;
            product.push((digit % 256) as u8);
            carry = digit / 256;
        }
        product.push(carry as u8);
        product.into_iter().rev().collect()
    }

    #[test]
    fn a_key_shown_with_its_private_half_is_taken_and_told() {
        assert!(!read(P256).unwrap().leaks_private_key);
        assert!(changed(r#"{"d":"AAAA"}"#).unwrap().leaks_private_key);
    }
}
