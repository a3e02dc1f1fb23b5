"""The preflight of durable storage, proven against real S3 servers

    check.py MSQ_GATE [S3PROXY_URL KEY SECRET]

Runs the program itself against moto, which checks signatures and IAM policies, through a relay on loopback that
can hold a request while the program is killed, or answer in Amazon's own words; and against a second server of
another make, where one is given. The buckets are looked at with boto3, an S3 client of another make. moto counts
the calls that it lets pass unchecked for the whole process, so all checks share one, in turn.
"""

import contextlib
import http.client
import http.server
import itertools
import json
import logging
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import boto3
import botocore.config
from moto.server import ThreadedMotoServer

GATE = os.path.abspath(sys.argv[1])
BUCKET, PREFIX = "druid", "msq"
FOUR = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
PATIENCE = 60
EXIT_OK, EXIT_UNAVAILABLE, EXIT_CONFIGURATION = 0, 69, 78


# --- the servers -----------------------------------------------------------------------------------------------

class Relay(http.server.ThreadingHTTPServer):
    """Passes requests on to moto, counting them; or holds one; or answers itself"""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Passing)
        self.upstream = upstream
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        self.pass_all()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def pass_all(self):
        self.calls, self.hold, self.answer = [], None, None
        self.held, self.release = threading.Event(), threading.Event()


class Passing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        relay, body = self.server, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        relay.calls.append((self.command, self.path))
        number = len(relay.calls)
        if relay.hold == (number, "before"):
            return self.wait()
        answer = relay.answer(self, number) if relay.answer else None
        if answer is None:
            upstream = http.client.HTTPConnection(urllib.parse.urlparse(relay.upstream).netloc, timeout=PATIENCE)
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            response = upstream.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
        if relay.hold == (number, "after"):
            return self.wait()
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def wait(self):
        self.server.held.set()
        self.server.release.wait(PATIENCE)
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = pass_on

    def log_message(self, *_):
        pass


def s3_error(status, code, message="", extra=""):
    body = "<?xml version='1.0'?><Error><Code>%s</Code><Message>%s</Message>%s</Error>" % (code, message, extra)
    return status, {"Content-Type": "application/xml"}, body.encode()


class Moto:
    """moto, and the people in it"""

    def __init__(self):
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.url = "http://%s:%d" % (host, port)
        self.names = ("user%d" % number for number in itertools.count())
        with self.unchecked():
            self.client("s3").create_bucket(Bucket=BUCKET)
            self.client("s3").put_object(Bucket=BUCKET, Key=PREFIX + "/controller_query-1/stage_0", Body=b"rows")

    @contextlib.contextmanager
    def unchecked(self):
        """Calls inside are let pass, whoever makes them"""
        self.reset("1000000")
        yield
        self.reset("0")

    def reset(self, count):
        connection = http.client.HTTPConnection(urllib.parse.urlparse(self.url).netloc, timeout=PATIENCE)
        connection.request("POST", "/moto-api/reset-auth", count)
        assert connection.getresponse().status == 200

    def client(self, service, key="set-up", secret="set-up"):
        config = botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.url, aws_access_key_id=key, aws_secret_access_key=secret,
                            region_name="us-east-1", config=config)

    def user(self, policy=None):
        """A new user with this policy: his name, and his key and secret"""
        name = next(self.names)
        with self.unchecked():
            iam = self.client("iam")
            iam.create_user(UserName=name)
            if policy:
                iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
            key = iam.create_access_key(UserName=name)["AccessKey"]
        return name, key["AccessKeyId"], key["SecretAccessKey"]

    def attach(self, name, policy):
        with self.unchecked():
            self.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))

    def contents(self):
        """The keys of the bucket and its open uploads"""
        with self.unchecked():
            return contents(self.client("s3"))

    def abort_all(self):
        with self.unchecked():
            s3 = self.client("s3")
            for key, upload in contents(s3)[1]:
                s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)


def contents(s3):
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    uploads = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return keys, [(upload["Key"], upload["UploadId"]) for upload in uploads]


def allow(actions, resource="arn:aws:s3:::%s/%s/*" % (BUCKET, PREFIX), *more):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement, *more]}


# --- the program -----------------------------------------------------------------------------------------------

class Ended:
    """What a run of the program printed and how it ended"""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def report(self):
        return json.loads(self.out)

    def outcomes(self):
        return {proof["action"]: proof["outcome"] for proof in self.report["actions"]}

    def denied(self):
        return [action for action, outcome in self.outcomes().items() if outcome == "denied"]

    def __repr__(self):
        return "exit %s\n%s\n%s" % (self.code, self.out, self.err)


class Folder:
    """A folder with Druid's properties in it, and the state of runs"""

    def __init__(self, endpoint, key=None, secret=None, **settings):
        self.path = tempfile.mkdtemp(prefix="msq-gate-s3-")
        self.secrets = [secret] if secret else []
        self.write("common.runtime.properties", properties(endpoint, key, secret, **settings))

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as file:
            file.write(text)
        return os.path.join(self.path, name)

    def start(self, *arguments, **environment):
        environment = {"PATH": os.environ["PATH"], "HOME": self.path, "AWS_EC2_METADATA_DISABLED": "true", **environment}
        if not any(argument.startswith("--config") for argument in arguments):
            arguments += ("--druid-properties", "common.runtime.properties")
        command = [GATE, "preflight", "s3", *arguments]
        return subprocess.Popen(command, cwd=self.path, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, **environment):
        running = self.start(*(arguments or ("--json",)), **environment)
        out, err = running.communicate(timeout=PATIENCE)
        for secret in self.secrets:
            assert secret not in out and secret not in err, "a secret was printed"
        return Ended(running.returncode, out, err)


def properties(endpoint, key, secret, bucket=BUCKET, prefix=PREFIX, region="us-east-1", more=""):
    lines = ["druid.msq.intermediate.storage.enable=true", "druid.msq.intermediate.storage.type=s3",
             "druid.msq.intermediate.storage.bucket=" + bucket, "druid.msq.intermediate.storage.prefix=" + prefix,
             "druid.msq.intermediate.storage.tempDir=/tmp/x", "druid.s3.endpoint.url=" + endpoint,
             "druid.s3.endpoint.signingRegion=" + region, "druid.s3.enablePathStyleAccess=true", more]
    if key:
        lines += ["druid.s3.accessKey=" + key, 'druid.s3.secretKey={"type":"default","password":"%s"}' % secret]
    return "\n".join(lines) + "\n"


# --- the checks ------------------------------------------------------------------------------------------------

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(got, wanted, about=""):
    assert got == wanted, "%r is not %r\n%s" % (got, wanted, about)


@check
def all_four_are_proven_and_nothing_is_left(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    ended = folder.run()
    equal(ended.code, EXIT_OK, ended)
    equal(set(ended.outcomes().values()), {"proven"}, ended)
    equal((ended.report["problem"], ended.report["leftBehind"]), (None, []), ended)
    equal(moto.contents(), before)
    people = folder.run("--principal", "x")
    equal((people.code, people.out.count("proven ")), (EXIT_OK, 4), people)
    assert "Statement" not in people.out, people


@check
def one_that_is_taken_away_is_named_and_no_other(moto, relay):
    before = moto.contents()
    for gone in FOUR:
        _, key, secret = moto.user(allow([action for action in FOUR if action != gone]))
        folder = Folder(relay.url, key, secret)
        ended = folder.run()
        equal((ended.code, ended.denied()), (EXIT_UNAVAILABLE, [gone]), ended)
        equal((ended.report["problem"]["kind"], gone in ended.report["problem"]["message"]), ("denied", True), ended)
        answer = next(proof["answer"] for proof in ended.report["actions"] if proof["action"] == gone)
        equal((answer["status"], answer["code"]), (403, "AccessDenied"), ended)
        equal(moto.contents(), before, "without " + gone)
        people = folder.run("--principal", "x")
        lines = [line for line in people.out.splitlines() if line.startswith("denied")]
        equal((people.code, [line.split()[1] for line in lines]), (EXIT_UNAVAILABLE, [gone]), people)
        print("   without %s:" % gone)
        print("".join("      %s\n" % line for line in people.out.splitlines()[:6]), end="")


@check
def a_run_that_is_killed_at_any_step_is_cleaned_up_by_the_next_one(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    relay.pass_all()
    equal(folder.run().code, EXIT_OK)
    steps = list(relay.calls)
    assert len(steps) >= 6, steps
    for (number, (method, path)), moment in itertools.product(enumerate(steps, 1), ("before", "after")):
        relay.pass_all()
        relay.hold = (number, moment)
        running = folder.start("--json")
        assert relay.held.wait(PATIENCE), "step %d was not reached" % number
        running.kill()
        running.communicate()
        relay.release.set()
        relay.pass_all()
        ended = folder.run()
        equal(ended.code, EXIT_OK, ended)
        keys, uploads = moto.contents()
        # The one moment in between: S3 has started an upload, and its id has not arrived.
        if (method, path.endswith("?uploads=")) == ("POST", True) and moment == "after":
            equal((keys, len(uploads)), (before[0], 1), "the answer to CreateMultipartUpload was lost")
            moto.abort_all()
        else:
            equal((keys, uploads), before, "killed %s step %d, %s %s" % (moment, number, method, path))
    print("   killed at %d moments: before and after each of %s" % (2 * len(steps), [step[0] for step in steps]))


@check
def an_upload_that_cannot_be_aborted_is_told_and_aborted_when_it_can(moto, relay):
    before = moto.contents()
    name, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    relay.pass_all()
    folder.run()
    abort_of_a_real_one = max(number for number, call in enumerate(relay.calls, 1) if "uploadId" in call[1])
    relay.pass_all()
    relay.hold = (abort_of_a_real_one, "before")
    running = folder.start("--json")
    assert relay.held.wait(PATIENCE)
    running.kill()
    running.communicate()
    relay.release.set()
    relay.pass_all()
    equal(len(moto.contents()[1]), 1, "the killed run leaves an upload")
    moto.attach(name, allow([action for action in FOUR if "Abort" not in action]))
    for _ in range(2):
        ended = folder.run()
        equal((ended.code, ended.denied(), len(ended.report["leftBehind"])),
              (EXIT_UNAVAILABLE, ["s3:AbortMultipartUpload"], 1), ended)
        equal(len(moto.contents()[1]), 1, "no second upload is started")
    moto.attach(name, allow(FOUR))
    equal(folder.run().code, EXIT_OK)
    equal(moto.contents(), before)


def as_amazon(region):
    """Answers as Amazon's own S3 does where requests are signed for another region"""
    def answer(request, _):
        signed = request.headers["Authorization"].split("Credential=")[1].split("/")[2]
        if signed != region:
            words = "The authorization header is malformed; the region '%s' is wrong; expecting '%s'" % (signed, region)
            return s3_error(400, "AuthorizationHeaderMalformed", words, "<Region>%s</Region>" % region)
        return None
    return answer


def explicit_deny(request, _):
    """Amazon's words for an explicit deny; moto has none"""
    if "uploadId" in request.path:
        return s3_error(403, "AccessDenied", "User: arn:aws:iam::1:user/druid is not authorized to perform: "
                        "s3:AbortMultipartUpload on resource: &quot;arn:aws:s3:::druid/msq/x&quot; with an explicit "
                        "deny in a resource-based policy")
    return None


@check
def each_thing_that_can_be_wrong_has_its_own_sentence_and_remedy(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    _, wide_key, wide_secret = moto.user(allow(FOUR, "arn:aws:s3:::*"))
    _, other_key, other_secret = moto.user(allow(FOUR, "arn:aws:s3:::%s/elsewhere/*" % BUCKET))
    deny = {"Effect": "Deny", "Action": "s3:AbortMultipartUpload", "Resource": "*"}
    _, denied_key, denied_secret = moto.user(allow("s3:*", "*", deny))
    relay.pass_all()
    nobody = http.server.HTTPServer(("127.0.0.1", 0), Passing)
    closed = "http://127.0.0.1:%d" % nobody.server_address[1]
    nobody.server_close()
    told = {}

    def tell(name, folder, kind, words, answer=None, **environment):
        relay.pass_all()
        relay.answer = answer
        ended = folder.run(**environment)
        relay.pass_all()
        equal(ended.code, EXIT_UNAVAILABLE, ended)
        problem = ended.report["problem"]
        equal(problem["kind"], kind, ended)
        assert words in problem["message"], ended
        assert problem["remedy"], ended
        equal(moto.contents(), before, name)
        people = folder.run("--principal", "x", **environment) if answer is None else None
        if people:
            assert problem["message"] in people.out and problem["remedy"] in people.out, people
        told[name] = problem["message"]
        print("   %s:\n      %s\n      -> %s" % (name, problem["message"], problem["remedy"]))

    tell("wrong secret", Folder(relay.url, key, "wrong" + secret), "wrong_secret", key)
    tell("unknown key", Folder(relay.url, "AKIAUNKNOWN", secret), "unknown_key", "AKIAUNKNOWN")
    tell("wrong bucket", Folder(relay.url, wide_key, wide_secret, bucket="nobody-has-it"), "no_such_bucket",
         "nobody-has-it")
    tell("wrong region", Folder(relay.url, key, secret), "wrong_region", "eu-central-1", as_amazon("eu-central-1"))
    tell("other prefix", Folder(relay.url, other_key, other_secret), "nothing_allowed",
         "s3:DeleteObject")
    tell("explicit deny", Folder(relay.url, denied_key, denied_secret), "denied", "s3:AbortMultipartUpload")
    tell("explicit deny in Amazon's words", Folder(relay.url, key, secret), "explicit_deny", "resource-based policy",
         explicit_deny)
    tell("unreachable endpoint", Folder(closed, key, secret), "unreachable", "refused")
    tell("a name that nobody has", Folder("http://s3.invalid", key, secret), "unreachable", "s3.invalid")
    tell("no TLS there", Folder(relay.url.replace("http:", "https:"), key, secret), "no_tls", "does not speak TLS")
    tell("expired token", Folder(relay.url, key, secret), "expired_token", key,
         lambda *_: s3_error(400, "ExpiredToken", "The provided token has expired."))
    tell("clock", Folder(relay.url, key, secret), "clock_skew", "clock",
         lambda *_: s3_error(403, "RequestTimeTooSkewed", "The difference is too large."))
    tell("throttled", Folder(relay.url, key, secret), "throttled", "slow down",
         lambda *_: s3_error(503, "SlowDown", "Please reduce your request rate."))
    tell("no S3 server", Folder(relay.url, key, secret), "not_s3", "404",
         lambda *_: (404, {"Content-Type": "text/html"}, b"<html>nothing here</html>"))
    tell("a firewall of web applications", Folder(relay.url, key, secret), "not_s3", "403",
         lambda *_: (403, {"Content-Type": "text/html"}, b"<html>blocked</html>"))
    tell("a web site that welcomes everybody", Folder(relay.url, key, secret), "not_s3", "200",
         lambda *_: (200, {"Content-Type": "text/html"}, b"<html>welcome</html>"))
    tell("a key that may not be used", Folder(relay.url, key, secret), "refused_behind", "kms:Decrypt",
         lambda request, _: s3_error(403, "AccessDenied", "User: u is not authorized to perform: kms:Decrypt on "
                                     "resource: k because no identity-based policy allows the kms:Decrypt action")
         if request.command == "GET" else None)
    tell("the policy of a VPC endpoint", Folder(relay.url, key, secret), "nothing_allowed", "s3:DeleteObject",
         lambda request, _: s3_error(403, "AccessDenied", "User: u is not authorized to perform: s3:%s on resource: k "
                                     "because no VPC endpoint policy allows the action" % (
                                         "AbortMultipartUpload" if "uploadId" in request.path else "DeleteObject")))
    tell("no credentials", Folder(relay.url), "no_credentials", "the environment")
    equal(len(set(told.values())), len(told))


@check
def a_certificate_is_trusted_where_its_ca_is_named(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder("https://unused", key, secret)
    subprocess.run([GATE, "certs", folder.path], check=True, capture_output=True)
    behind = Relay(moto.url)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(folder.path, "server.pem"), os.path.join(folder.path, "server.key"))
    behind.socket = tls.wrap_socket(behind.socket, server_side=True)
    endpoint = "https://localhost:%d" % behind.server_address[1]
    folder.write("common.runtime.properties", properties(endpoint, key, secret))
    ended = folder.run()
    equal((ended.code, ended.report["problem"]["kind"]), (EXIT_UNAVAILABLE, "untrusted"), ended)
    ca = next(name for name in os.listdir(folder.path) if name.startswith("ca") and name.endswith(".pem"))
    equal(folder.run(SSL_CERT_FILE=ca).code, EXIT_OK)
    folder.write("trust.toml", '[durable_storage]\nca_file = "%s"\n' % ca)
    ended = folder.run("--json", "--druid-properties", "common.runtime.properties", "--config=trust.toml")
    equal(ended.code, EXIT_OK, ended)


CONTENT = b"msq-gate preflight: this object can be deleted\n"


class Amazons:
    """Answers as Amazon's S3 does to who may not list: 403 to a GET of what is not there"""

    def __init__(self):
        self.lock, self.object = threading.Lock(), None

    def __call__(self, request, _):
        with self.lock:
            if "upload" in request.path:
                return None
            if request.command == "PUT":
                self.object = CONTENT
                return 200, {}, b""
            if request.command == "DELETE":
                self.object = None
                return 204, {}, b""
            return (200, {}, self.object) if self.object else s3_error(403, "AccessDenied", "Access Denied")


@check
def preflights_of_several_machines_at_once_are_not_taken_for_denials(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    relay.pass_all()
    relay.answer = Amazons()
    machines = [Folder(relay.url, key, secret) for _ in range(4)]
    outcomes = []
    for _ in range(4):
        runs = [folder.start("--json") for folder in machines]
        for running in runs:
            out, err = running.communicate(timeout=PATIENCE)
            outcomes.append(Ended(running.returncode, out, err))
    relay.pass_all()
    assert all(not ended.denied() for ended in outcomes), [ended for ended in outcomes if ended.denied()][0]
    proven = [ended.code for ended in outcomes].count(EXIT_OK)
    print("   %d runs, four at a time: %d proven, none denied" % (len(outcomes), proven))
    assert proven >= len(outcomes) - 1, [ended for ended in outcomes if ended.code][0]


@check
def a_run_that_is_told_to_end_cleans_up_first(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    for told, number in itertools.product((signal.SIGTERM, signal.SIGINT), range(1, 8)):
        folder = Folder(relay.url, key, secret)
        relay.pass_all()
        waiting = threading.Event()

        def answer(_, called, number=number, waiting=waiting, relay=relay):
            if called == number:
                relay.held.set()
                waiting.wait(PATIENCE)

        relay.answer = answer
        running = folder.start("--json")
        assert relay.held.wait(PATIENCE)
        running.send_signal(told)
        line = running.stderr.readline()
        waiting.set()
        out, err = running.communicate(timeout=PATIENCE)
        equal(line, "interrupted; cleaning up\n")
        ended = Ended(running.returncode, out, err)
        # Once the upload is started only its abort is left, and then all is proven.
        if number < 6:
            equal((ended.code, ended.report["problem"]["kind"]), (EXIT_UNAVAILABLE, "interrupted"), ended)
        equal((ended.report["leftBehind"], moto.contents()), ([], before), ended)


@check
def a_run_waits_for_another_one_on_this_machine(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    relay.pass_all()
    relay.hold = (1, "before")
    first = folder.start("--json")
    assert relay.held.wait(PATIENCE)
    second = folder.start("--json")
    first.kill()
    first.communicate()
    relay.release.set()
    relay.pass_all()
    out, err = second.communicate(timeout=PATIENCE)
    equal(second.returncode, EXIT_OK, (out, err))


@check
def an_upload_at_another_address_is_told(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    folder.run()
    state = os.path.join(folder.path, ".local/state/msq-gate/preflight-s3.json")
    left = [{"url": "http://elsewhere.test/druid/msq/msq-gate-preflight", "uploadId": "abc"}]
    with open(state, "w") as file:
        json.dump(left, file)
    ended = folder.run()
    equal(ended.code, EXIT_OK, ended)
    assert any("elsewhere.test" in warning for warning in ended.report["warnings"]), ended
    with open(state) as file:
        equal(json.load(file), left)


@check
def a_bucket_with_versions_is_told_of(moto, relay):
    _, key, secret = moto.user(allow(FOUR, "arn:aws:s3:::versioned/msq/*"))
    with moto.unchecked():
        s3 = moto.client("s3")
        s3.create_bucket(Bucket="versioned")
        s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    ended = Folder(relay.url, key, secret, bucket="versioned").run()
    equal(ended.code, EXIT_OK, ended)
    assert any("versions" in warning for warning in ended.report["warnings"]), ended


@check
def encryption_is_asked_for_as_druid_asks(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    asked = []
    relay.pass_all()
    relay.answer = lambda request, _: asked.append((request.command, request.headers.get("x-amz-server-side-encryption")))
    more = "druid.storage.sse.type=kms\ndruid.storage.sse.kms.keyId=some-key"
    equal(Folder(relay.url, key, secret, more=more).run().code, EXIT_OK)
    equal({command for command, by in asked if by == "aws:kms"}, {"PUT", "POST"})
    equal({command for command, by in asked if by is None}, {"GET", "DELETE"})


@check
def no_secret_is_said_though_a_server_says_it_back(moto, relay):
    secret, token = "s3cr3t/that+nobody=sees", "token-that-nobody-sees"
    folder = Folder(relay.url)
    folder.secrets = [secret, token]
    for status, code in ((403, "AccessDenied"), (400, "Nonsense"), (500, "InternalError")):
        relay.pass_all()
        relay.answer = lambda *_: s3_error(status, code, "you sent %s and %s" % (secret, token))
        for arguments in (("--json",), ("--principal", "x")):
            ended = folder.run(*arguments, AWS_ACCESS_KEY_ID="AKIAX", AWS_SECRET_ACCESS_KEY=secret,
                               AWS_SESSION_TOKEN=token)
            equal(ended.code, EXIT_UNAVAILABLE, ended)
    relay.pass_all()
    swapped = folder.run(AWS_ACCESS_KEY_ID=secret, AWS_SECRET_ACCESS_KEY="AKIAX")
    equal((swapped.code, swapped.report["credentials"]["accessKeyId"]), (EXIT_UNAVAILABLE, secret[:4] + "\u2026"), swapped)
    foreign = folder.run(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.2/x", AWS_CONTAINER_AUTHORIZATION_TOKEN=token)
    equal(foreign.report["problem"]["kind"], "no_credentials", foreign)
    assert "is asked over plain http" in foreign.out, foreign


@check
def an_environment_that_is_no_text_harms_nobody(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    environment = {b"PATH": os.environb[b"PATH"], b"HOME": folder.path.encode(), b"OTHERS": b"hush\xff"}
    command = [GATE, "preflight", "s3", "--druid-properties", "common.runtime.properties"]
    ended = subprocess.run(command, cwd=folder.path, env=environment, capture_output=True, timeout=PATIENCE)
    equal((ended.returncode, b"hush" in ended.stdout + ended.stderr), (EXIT_OK, False), ended)


@check
def a_source_that_fails_is_told_though_a_later_one_has_credentials(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url)
    profiles = folder.write("profiles", "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n" % (key, secret))
    ended = folder.run(AWS_SHARED_CREDENTIALS_FILE=profiles, AWS_ROLE_ARN="arn:aws:iam::123456789012:role/x",
                       AWS_WEB_IDENTITY_TOKEN_FILE="/nowhere/token", AWS_ACCESS_KEY_ID="half-a-pair")
    equal((ended.code, ended.report["credentials"]["source"]), (EXIT_OK, "profile"), ended)
    warnings = "\n".join(ended.report["warnings"])
    assert "/nowhere/token" in warnings and "AWS_SECRET_ACCESS_KEY is not set" in warnings, ended


@check
def a_moment_of_too_many_requests_is_waited_out(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    relay.pass_all()
    relay.answer = lambda _, number: s3_error(503, "SlowDown") if number in (1, 2, 5) else None
    ended = folder.run()
    relay.pass_all()
    equal(ended.code, EXIT_OK, ended)
    equal(moto.contents(), before)


@check
def what_breaks_in_the_midst_is_cleaned_up_and_the_rest_is_said_to_be_unreached(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    relay.pass_all()
    folder.run()
    steps = list(relay.calls)
    for number, (method, path) in enumerate(steps, 1):
        relay.pass_all()
        relay.answer = lambda _, called: s3_error(400, "Nonsense") if called == number else None
        ended = folder.run()
        relay.pass_all()
        unstarted = "uploadId" in path and "no-such-upload" in path
        equal(ended.code, EXIT_OK if unstarted else EXIT_UNAVAILABLE, (method, path, ended))
        if ended.report["leftBehind"]:
            equal(folder.run().code, EXIT_OK)
        equal(moto.contents(), before, "step %d, %s %s" % (number, method, path))
        equal(ended.denied(), [], "what breaks is no denial: %r" % ended)


@check
def the_policy_it_prints_is_enough(moto, relay):
    name, key, secret = moto.user()
    folder = Folder(relay.url, key, secret)
    refused = folder.run()
    equal((refused.code, refused.report["problem"]["kind"]), (EXIT_UNAVAILABLE, "nothing_allowed"), refused)
    moto.attach(name, refused.report["policy"])
    equal(folder.run().code, EXIT_OK)
    for prefix in ("deep/er", "with space", "star*"):
        name, key, secret = moto.user()
        folder = Folder(relay.url, key, secret, prefix=prefix)
        policy = folder.run().report["policy"]
        # moto has none of IAM's variables, which make a star a star.
        moto.attach(name, json.loads(json.dumps(policy).replace("${*}", "*")))
        ended = folder.run()
        equal(ended.code, EXIT_OK, ended)


@check
def the_bucket_policy_it_prints_names_the_principal(moto, relay):
    _, key, secret = moto.user()
    folder = Folder(relay.url, key, secret)
    arn = "arn:aws:iam::123456789012:role/druid"
    policy = folder.run("--json", "--principal", arn).report["bucketPolicy"]
    equal(policy["Statement"][0]["Principal"], {"AWS": arn})
    with moto.unchecked():
        moto.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        moto.client("s3").delete_bucket_policy(Bucket=BUCKET)


# --- where credentials come from -------------------------------------------------------------------------------

class Handing(http.server.BaseHTTPRequestHandler):
    """The services of Amazon's hosts that hand out credentials, as far as a role needs them"""

    def hand_out(self):
        session = self.server.session
        body = json.dumps({"Code": "Success", "AccessKeyId": session["AccessKeyId"], "Token": session["SessionToken"],
                           "SecretAccessKey": session["SecretAccessKey"], "Expiration": "2099-01-01T00:00:00Z"})
        known = self.headers.get("x-aws-ec2-metadata-token") == "T"
        answer = {
            ("PUT", "/latest/api/token"): "T",
            ("GET", "/latest/meta-data/iam/security-credentials/"): "druid" if known else None,
            ("GET", "/latest/meta-data/iam/security-credentials/druid"): body if known else None,
            ("GET", "/container"): body if self.headers.get("Authorization") == "A" else None,
        }.get((self.command, self.path))
        self.send_response(200 if answer else 401)
        self.send_header("Content-Length", str(len(answer or "")))
        self.end_headers()
        self.wfile.write((answer or "").encode())

    do_GET = do_PUT = hand_out

    def log_message(self, *_):
        pass


@check
def credentials_are_found_where_druid_finds_them(moto, relay):
    before = moto.contents()
    _, key, secret = moto.user(allow(FOUR))
    with moto.unchecked():
        iam = moto.client("iam")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]}
        role = iam.create_role(RoleName="druid", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="druid", PolicyName="p", PolicyDocument=json.dumps(allow(FOUR)))
        session = moto.client("sts").assume_role(RoleArn=role, RoleSessionName="druid")["Credentials"]
    handing = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handing)
    handing.session = session
    threading.Thread(target=handing.serve_forever, daemon=True).start()
    services = "http://127.0.0.1:%d" % handing.server_address[1]
    folder = Folder(relay.url)
    folder.secrets = [secret, session["SecretAccessKey"], session["SessionToken"]]
    os.mkdir(os.path.join(folder.path, ".aws"))

    def found(source, **environment):
        ended = folder.run(**environment)
        equal(ended.code, EXIT_OK, ended)
        equal(ended.report["credentials"]["source"], source, ended)
        equal(moto.contents(), before)
        print("   from %s" % ended.report["credentials"]["source"])

    found("environment", AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    found("environment", AWS_ACCESS_KEY=key, AWS_SECRET_KEY=secret)
    found("environment", AWS_ACCESS_KEY_ID=session["AccessKeyId"], AWS_SECRET_ACCESS_KEY=session["SecretAccessKey"],
          AWS_SESSION_TOKEN=session["SessionToken"])
    found("container", AWS_CONTAINER_CREDENTIALS_FULL_URI=services + "/container",
          AWS_CONTAINER_AUTHORIZATION_TOKEN="A")
    found("instance", AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=services)
    token = folder.write("token", "a.web.token")
    with moto.unchecked():
        found("web_identity", AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=role, AWS_ENDPOINT_URL_STS=moto.url)
    # Written where it is looked for: these stay, so what comes before them is looked at first.
    folder.write(".aws/credentials", "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n"
                 "[other]\naws_access_key_id=x\naws_secret_access_key=x\n" % (key, secret))
    found("profile")
    moved = folder.write("profiles", "[druid]\naws_access_key_id=%s\naws_secret_access_key=%s\n" % (key, secret))
    found("profile", AWS_SHARED_CREDENTIALS_FILE=moved, AWS_PROFILE="druid")
    found("environment", AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    path = folder.write("session.properties", "accessKey=%s\nsecretKey=%s\nsessionToken=%s\n" % (
        session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]))
    folder.write("common.runtime.properties",
                 properties(relay.url, None, None, more="druid.s3.fileSessionCredentials=" + path))
    found("session_file", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    folder.write("common.runtime.properties",
                 properties(relay.url, key, "${env:DRUID_SECRET}", more="druid.s3.fileSessionCredentials=" + path))
    found("properties", DRUID_SECRET=secret)


# --- files -----------------------------------------------------------------------------------------------------

@check
def proxy_toml_may_say_where_and_need_say_nothing_else(moto, relay):
    _, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url)
    folder.write("proxy.toml", '[durable_storage]\nbucket = "%s"\nprefix = "%s"\nendpoint = "%s"\npath_style = true\n'
                 % (BUCKET, PREFIX, relay.url))
    ended = folder.run("--config=proxy.toml", "--json", AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    equal(ended.code, EXIT_OK, ended)
    folder.write("proxy.toml", '[durable_storage]\nbucket = "%s"\n' % BUCKET)
    ended = folder.run("--config=proxy.toml")
    equal(ended.code, EXIT_CONFIGURATION, ended)
    assert "durable_storage.prefix: is missing" in ended.err, ended


@check
def faulty_properties_are_told_with_their_lines(moto, relay):
    folder = Folder(relay.url)
    folder.write("common.runtime.properties", "druid.msq.intermediate.storage.enable=true\n"
                 "druid.msq.intermediate.storage.type=local\ndruid.s3.endpoint.url=ftp://x\n")
    ended = folder.run()
    equal((ended.code, ended.out), (EXIT_CONFIGURATION, ""), ended)
    assert "common.runtime.properties:2: druid.msq.intermediate.storage.type: is not `s3`" in ended.err, ended
    assert "common.runtime.properties:3: druid.s3.endpoint.url: is no address" in ended.err, ended


@check
def the_report_is_replaced_whole(moto, relay):
    name, key, secret = moto.user(allow(FOUR))
    folder = Folder(relay.url, key, secret)
    path = os.path.join(folder.path, "s3.json")
    ended = folder.run("--json", "--report", path)
    with open(path) as file:
        equal(json.load(file), ended.report)
    moto.attach(name, allow(FOUR[:3]))
    link = os.path.join(folder.path, "link.json")
    os.symlink(path, link)
    equal(folder.run("--report", link).code, EXIT_UNAVAILABLE)
    assert os.path.islink(link)
    equal(folder.run("--report", "/dev/null").code, 73)
    with open(path) as file:
        equal([proof["outcome"] for proof in json.load(file)["actions"]].count("denied"), 1)


def the_second_server_is_proven_too(url, key, secret):
    """A server of another make: that the calls are S3's, and not one server's idea of them"""
    s3 = boto3.client("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret,
                      region_name="us-east-1", config=botocore.config.Config(
                          s3={"addressing_style": "path"}, request_checksum_calculation="when_required"))
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=PREFIX + "/kept", Body=b"rows")
    before = contents(s3)
    folder = Folder(url, key, secret)
    ended = folder.run()
    equal((ended.code, set(ended.outcomes().values())), (EXIT_OK, {"proven"}), ended)
    equal(contents(s3), before)
    ended = Folder(url, key, "wrong" + secret).run()
    equal((ended.code, ended.report["problem"]["kind"]), (EXIT_UNAVAILABLE, "wrong_secret"), ended)


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = Moto()
    relay = Relay(moto.url)
    checks = [(function.__name__, lambda function=function: function(moto, relay)) for function in CHECKS]
    if len(sys.argv) > 2:
        checks.append(("the_second_server_is_proven_too", lambda: the_second_server_is_proven_too(*sys.argv[2:5])))
    failed = 0
    for name, run in checks:
        begun = time.monotonic()
        try:
            relay.pass_all()
            run()
            print("ok     %s (%.1f s)" % (name, time.monotonic() - begun), flush=True)
        except Exception as error:  # each check is told, whatever became of the one before
            failed += 1
            print("FAILED %s: %s: %s" % (name, type(error).__name__, error), flush=True)
    print("%d checks, %d failed" % (len(checks), failed))
    moto.server.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
