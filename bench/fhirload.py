#!/usr/bin/env python3
"""fhirload: closed-loop load harness for FHIR R4 REST servers, which checks what it is told.

  fhirload.py --base http://127.0.0.1:18080/fhir --seconds 20 --concurrency 1,8,32 --seed 1 --out r.json --pid 1234

A synthetic population is made from --seed, loaded by transaction bundles (timed, phase "load"), and then each
phase runs for --seconds at each concurrency:
  create      POST Observation                                  (Prefer: return=representation)
  bundle      POST transaction of 50 new, mutually referencing resources (urn:uuid)
  read        GET  Type/id
  obs         GET  Observation?subject=Patient/x&code=s|c&_sort=-date&_count=20
  cond        GET  Condition?code=s|a,s|b&_include=Condition:subject&_count=20
  pat         GET  Patient?name=prefix&birthdate=geD&_count=20
  everything  GET  Patient/x/$everything?_count=200
  mixed       80 % reads (40 read, 25 obs, 6 cond, 6 pat, 3 everything) / 20 % writes (15 create, 5 PUT update)

Truth kept by the client: read phases use "read patients", which no write ever touches, so expected answers are exact
sets; writes go to "write patients", use their own codes, and are recounted after the phase (acknowledged = stored).
Every answer is verified; an answer that is wrong counts as an error, never as an operation.
Search parameters are drawn without replacement (distinct/ops is reported) so a result cache is not what is measured.
Only stdlib + msgspec: the HTTP/1.1 client below is a bare asyncio protocol, so that the client takes little CPU.
"""
import argparse, asyncio, bisect, datetime as dt, itertools, multiprocessing, os, random, resource, ssl, sys, time, urllib.parse, uuid
from collections import Counter, defaultdict
import msgspec

LOINC, UCUM, SCT = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
RXN = "http://www.nlm.nih.gov/research/umls/rxnorm"
# (code, display, unit, ucum, low, high)
READ_OBS = [("8867-4", "Heart rate", "beats/minute", "/min", 50, 120), ("8310-5", "Body temperature", "Cel", "Cel", 35, 40),
    ("9279-1", "Respiratory rate", "breaths/minute", "/min", 10, 30), ("29463-7", "Body weight", "kg", "kg", 40, 140),
    ("8302-2", "Body height", "cm", "cm", 140, 205), ("39156-5", "Body mass index", "kg/m2", "kg/m2", 17, 42),
    ("2708-6", "Oxygen saturation in Arterial blood", "%", "%", 85, 100), ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 60, 300),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 0.4, 4), ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "g/dL", 7, 18),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", "%", 4, 13), ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", "mmol/L", 125, 150)]
WRITE_OBS = [("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", "mmol/L", 3, 6), ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 100, 320),
    ("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 40, 500), ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", "10*3/uL", 2, 20)]
COND = [str(38341003 + 7919 * i) for i in range(60)]            # synthetic, SNOMED-shaped
COND_W = [str(90000001 + 7907 * i) for i in range(10)]
MEDS = [("860975", "metformin 500 MG"), ("314076", "lisinopril 10 MG"), ("617312", "atorvastatin 20 MG"), ("197361", "amlodipine 5 MG")]
SYL = ["ka", "ro", "mi", "tel", "ban", "do", "sha", "lin", "ver", "go", "pas", "cu", "nor", "wi", "fa", "zel", "hu", "jor", "ety", "qui"]

def name(rng, n):
    return "".join(rng.choice(SYL) for _ in range(n)).capitalize()

def day(rng, a, b):
    return (dt.date(a, 1, 1) + dt.timedelta(days=rng.randrange((b - a) * 365))).isoformat()

def stamp(rng):
    return "%sT%02d:%02d:%02dZ" % (day(rng, 2015, 2026), rng.randrange(24), rng.randrange(60), rng.randrange(60))

class Gen:
    """Makes resources; every one carries a business identifier unique to the run."""
    def __init__(self, rng, run, tag):
        self.r, self.run, self.tag, self.n = rng, run, tag, 0
    def ident(self):
        self.n += 1
        return [{"system": "urn:fhirload:" + self.run, "value": f"{self.tag}-{self.n}"}]
    def patient(self, fam=None, giv=None):
        r = self.r
        return {"resourceType": "Patient", "identifier": self.ident(), "active": True,
            "name": [{"use": "official", "family": fam or name(r, 3), "given": [giv or name(r, 2), ("Zz" if fam and fam.startswith("Zz") else "") + name(r, 2)]}],
            "telecom": [{"system": "phone", "value": "+1-555-%04d" % r.randrange(10000), "use": "home"}],
            "gender": r.choice(["male", "female"]), "birthDate": day(r, 1930, 2020),
            "address": [{"line": ["%d %s Street" % (r.randrange(1, 999), name(r, 2))], "city": name(r, 3), "postalCode": "%05d" % r.randrange(99999), "country": "US"}]}
    def encounter(self, pat):
        s = stamp(self.r)
        return {"resourceType": "Encounter", "identifier": self.ident(), "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory"},
            "type": [{"coding": [{"system": SCT, "code": "185349003", "display": "Encounter for check up"}]}],
            "subject": {"reference": pat}, "period": {"start": s, "end": s}}
    def condition(self, pat, enc, codes):
        c = self.r.choice(codes)
        return {"resourceType": "Condition", "identifier": self.ident(),
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
            "code": {"coding": [{"system": SCT, "code": c, "display": "Synthetic disorder " + c}]},
            "subject": {"reference": pat}, "encounter": {"reference": enc}, "onsetDateTime": stamp(self.r)}
    def observation(self, pat, enc, codes, prac=None):
        r = self.r; c, d, u, ucum, lo, hi = r.choice(codes); w = stamp(r)
        v = round(r.uniform(lo, hi), 1)
        o = {"resourceType": "Observation", "identifier": self.ident(), "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory", "display": "Laboratory"}], "text": "Laboratory"}],
            "code": {"coding": [{"system": LOINC, "code": c, "display": d}], "text": d},
            "subject": {"reference": pat}, "encounter": {"reference": enc}, "effectiveDateTime": w, "issued": w[:-1] + ".000Z",
            "valueQuantity": {"value": v, "unit": u, "system": UCUM, "code": ucum},
            "interpretation": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "N", "display": "Normal"}]}],
            "referenceRange": [{"low": {"value": lo, "unit": u, "system": UCUM, "code": ucum}, "high": {"value": hi, "unit": u, "system": UCUM, "code": ucum}}]}
        if prac: o["performer"] = [{"reference": prac}]
        return o
    def medreq(self, pat, enc):
        c, d = self.r.choice(MEDS)
        return {"resourceType": "MedicationRequest", "identifier": self.ident(), "status": "active", "intent": "order",
            "medicationCodeableConcept": {"coding": [{"system": RXN, "code": c, "display": d}], "text": d},
            "subject": {"reference": pat}, "encounter": {"reference": enc}, "authoredOn": stamp(self.r),
            "dosageInstruction": [{"text": "1 tablet daily", "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}]}

def U(rng):
    return "urn:uuid:" + str(uuid.UUID(int=rng.getrandbits(128), version=4))

def tx(items):
    return {"resourceType": "Bundle", "type": "transaction",
        "entry": [{"fullUrl": u, "resource": r, "request": {"method": "POST", "url": r["resourceType"]}} for u, r in items]}

def bundle50(g):
    """1 patient, 2 encounters, 5 conditions, 38 observations, 4 medication requests = 50."""
    p = U(g.r); e = [U(g.r), U(g.r)]
    out = [(p, g.patient("Zz" + name(g.r, 3), "Zz" + name(g.r, 2)))] + [(x, g.encounter(p)) for x in e]
    out += [(U(g.r), g.condition(p, g.r.choice(e), COND_W)) for _ in range(5)]
    out += [(U(g.r), g.observation(p, g.r.choice(e), WRITE_OBS)) for _ in range(38)]
    out += [(U(g.r), g.medreq(p, g.r.choice(e))) for _ in range(4)]
    return out

# ---------------------------------------------------------------- HTTP client
class Broken(Exception): pass

class Conn(asyncio.Protocol):
    __slots__ = ("tr", "buf", "fut", "need", "head", "status", "headers")
    def __init__(self):
        self.tr = self.fut = None; self.buf = bytearray(); self.need = -2
    def connection_made(self, tr): self.tr = tr
    def connection_lost(self, exc):
        self.tr = None
        if self.fut and not self.fut.done(): self.fut.set_exception(Broken("connection lost"))
    def send(self, data, loop):
        self.fut = loop.create_future(); self.tr.write(data); return self.fut
    def data_received(self, data):
        b = self.buf; b += data
        if self.need == -2:
            i = b.find(b"\r\n\r\n")
            if i < 0: return
            lines = bytes(b[:i]).split(b"\r\n"); del b[:i + 4]
            self.status = int(lines[0][9:12]); h = self.headers = {}
            for l in lines[1:]:
                k, _, v = l.partition(b":"); h[k.lower()] = v.strip()
            if h.get(b"transfer-encoding", b"").lower() == b"chunked": self.need = -1
            elif self.status in (204, 304): self.need = 0
            else: self.need = int(h.get(b"content-length", b"0"))
        if self.need == -1:
            if not b.endswith(b"0\r\n\r\n"): return
            out, p = [], 0                       # ends like the last chunk: decode; if it was data that looked so, wait on
            while True:
                j = b.find(b"\r\n", p)
                if j < 0: return
                n = int(bytes(b[p:j]).split(b";")[0], 16); p = j + 2
                if n == 0: break
                if p + n + 2 > len(b): return
                out.append(bytes(b[p:p + n])); p += n + 2
            body = b"".join(out); b.clear()
        else:
            if len(b) < self.need: return
            body = bytes(b[:self.need]); del b[:self.need]
        self.need = -2
        if self.fut and not self.fut.done(): self.fut.set_result((self.status, self.headers, body))
        if self.headers.get(b"connection", b"").lower() == b"close" and self.tr: self.tr.close(); self.tr = None

class Client:
    def __init__(self, a):
        u = urllib.parse.urlsplit(a.base); self.host = u.hostname; self.path = u.path.rstrip("/")
        self.port = u.port or (443 if u.scheme == "https" else 80)
        self.ssl = None
        if u.scheme == "https":
            self.ssl = ssl.create_default_context()
            if a.insecure: self.ssl.check_hostname = False; self.ssl.verify_mode = ssl.CERT_NONE
        h = [f"Host: {u.netloc}", "Accept: application/fhir+json"]
        if a.token: h.append("Authorization: Bearer " + a.token)
        self.file = a.token_file; self.read_at = -99.0; self.auth = ""
        h += a.header
        self.h = "".join(x + "\r\n" for x in h); self.timeout = a.timeout; self.conn = None; self.wire = 0; self.t = (0, 0)
    async def __call__(self, method, path, obj=None, extra=""):
        """-> status, headers, body bytes; self.t = (start, end) of the wire time"""
        loop = asyncio.get_running_loop()
        if self.file:
            if time.monotonic() - self.read_at > 30: self.auth = "Authorization: Bearer " + open(self.file).read().strip() + "\r\n"; self.read_at = time.monotonic()
            extra += self.auth
        if obj is None: data = f"{method} {self.path}/{path} HTTP/1.1\r\n{self.h}{extra}\r\n".encode()
        else:
            body = msgspec.json.encode(obj)
            data = f"{method} {self.path}{'/' + path if path else ''} HTTP/1.1\r\n{self.h}Content-Type: application/fhir+json\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body
        c = self.conn
        if c is None or c.tr is None or c.tr.is_closing():
            _, c = await loop.create_connection(Conn, self.host, self.port, ssl=self.ssl); self.conn = c
        t = time.perf_counter()
        fut = c.send(data, loop)
        to = loop.call_later(self.timeout, lambda: fut.done() or fut.set_exception(Broken("timeout")))
        try: r = await fut
        except Broken:
            if c.tr: c.tr.abort()
            self.conn = None; self.t = (t, time.perf_counter()); raise
        finally: to.cancel()
        self.t = (t, time.perf_counter()); self.wire += len(r[2]); return r
    def close(self):
        if self.conn and self.conn.tr: self.conn.tr.close()

# ---------------------------------------------------------------- verification
class Bad(Exception): pass
def need(ok, msg):
    if not ok: raise Bad(msg)

KEYS = {"Patient": ("identifier", "name", "gender", "birthDate", "address"), "Encounter": ("identifier", "status", "class", "subject", "period"),
    "Condition": ("identifier", "clinicalStatus", "code", "subject", "encounter", "onsetDateTime"),
    "Observation": ("identifier", "status", "category", "code", "subject", "encounter", "effectiveDateTime", "valueQuantity", "referenceRange"),
    "MedicationRequest": ("identifier", "status", "intent", "medicationCodeableConcept", "subject", "authoredOn"), "Practitioner": ("identifier", "name")}

def same(sent, got):
    need(got.get("resourceType") == sent["resourceType"], f"resourceType {got.get('resourceType')}")
    need(got.get("id") and got.get("meta", {}).get("versionId") and got["meta"].get("lastUpdated"), "no id/meta")
    for k in KEYS[sent["resourceType"]]:
        need(got.get(k) == sent.get(k), f"{sent['resourceType']}.{k} came back as {str(got.get(k))[:200]} not {str(sent.get(k))[:200]}")

def bundle(body, kind="searchset"):
    b = msgspec.json.decode(body)
    need(b.get("resourceType") == "Bundle" and b.get("type") == kind, f"not a {kind}: {body[:200]!r}")
    return b, any(l.get("relation") == "next" for l in b.get("link", ()))

def http(st, body, *ok):
    if st not in ok: raise Bad(f"HTTP {st}: {body[:600].decode('utf8', 'replace')}")

class World:
    """What the client knows to be true on the server."""
    def __init__(self, a):
        rng = random.Random(f"pop{a.seed}"); g = Gen(rng, a.run_id, "p"); self.a = a
        self.pats, self.units = [], []        # units: list of bundles (list of (urn, resource)), ≤ ~50 entries
        self.prac = [{"resourceType": "Practitioner", "identifier": g.ident(), "name": [{"family": name(rng, 3), "given": [name(rng, 2)]}]} for _ in range(5)]
        fams = [name(rng, 3) for _ in range(150)]; givs = [name(rng, 2) for _ in range(80)]
        for i in range(a.patients):
            p = {"res": g.patient(rng.choice(fams), rng.choice(givs)), "enc": [], "own": [], "i": i}; self.pats.append(p)
        self.nread = max(int(a.patients * 0.8), a.patients - 640); self.g = g; self.rng = rng
        self.ids = {}                          # "Type/id" -> resource as sent (with real references), as bytes: there may be a million
        self.byobs, self.bycond = defaultdict(list), defaultdict(list)
    async def load(self, cl, direct=None, size=50):
        """patients+encounters first, then the rest by real references: every bundle ≤ 50 entries. What `direct` is given
        (all but write patients, `size` resources at once) does not go over HTTP."""
        a, g, rng = self.a, self.g, self.rng; bulk = [direct] if direct else cl; size = size if direct else 50
        async def post(c, res):
            st, h, body = await c("POST", "", tx([(U(rng), r) for r in res])); http(st, body, 200)
            b, _ = bundle(body, "transaction-response"); need(len(b["entry"]) == len(res), "entry count")
            out = []
            for r, e in zip(res, b["entry"]):
                need(e["response"]["status"].startswith("201"), str(e)[:300]); ref = self.ref(e["response"]["location"]); out.append(ref); self.ids[ref] = msgspec.json.encode(r)
            return out
        async def many(cl, lists):
            it = iter(lists)
            async def w(c):
                for meta, res in it: meta(await post(c, res))
            await asyncio.gather(*(w(c) for c in cl))
        async def both(lists):
            await many(bulk, lists(self.pats[:self.nread], size)); await many(cl, lists(self.pats[self.nread:], 50))
        t0 = time.perf_counter()
        self.pref = await post(cl[0], self.prac)
        def chunk(xs, k):
            xs = iter(xs)
            while c := list(itertools.islice(xs, k)): yield c
        def setp(ps):
            def f(refs):
                for p, r in zip(ps, refs): p["ref"] = r
            return f
        await both(lambda ps, k: ((setp(c), [p["res"] for p in c]) for c in chunk(ps, k)))
        def sete(ps):
            def f(refs):
                for p, r in zip(ps, refs): p["enc"].append(r); p["own"].append(r)
            return f
        await both(lambda ps, k: ((sete(c), [g.encounter(p["ref"]) for p in c]) for c in chunk(ps * 2, k)))
        def jobs():
            for p in self.pats[:self.nread]:
                e = lambda: rng.choice(p["enc"])
                res = [g.condition(p["ref"], e(), COND) for _ in range(4)] + [g.medreq(p["ref"], e()) for _ in range(2)]
                res += [g.observation(p["ref"], e(), READ_OBS if p["i"] % 20 else READ_OBS[:4], rng.choice(self.pref)) for _ in range(100 if p["i"] % 20 == 0 else 30)]
                for r in res: yield p, r
        def done(c):
            def f(refs):
                for (p, r), ref in zip(c, refs):
                    p["own"].append(ref)
                    if r["resourceType"] == "Observation": self.byobs[p["i"], r["code"]["coding"][0]["code"]].append((r["effectiveDateTime"], ref))
                    elif r["resourceType"] == "Condition": self.bycond[r["code"]["coding"][0]["code"]].append((ref, p["ref"]))
            return f
        await many(bulk, ((done(c), [r for _, r in c]) for c in chunk(jobs(), size)))
        el = time.perf_counter() - t0
        self.reads = [p for p in self.pats if p["i"] < self.nread]; self.writes = self.pats[self.nread:]
        for v in self.byobs.values(): v.sort(reverse=True)
        self.allids = [k for k in self.ids if not k.startswith("Practitioner")]
        # name index: (lowercase name part, birthDate, ref)
        self.names = [({x.lower() for nm in p["res"]["name"] for x in [nm["family"], *nm["given"]]}, p["res"]["birthDate"], p["ref"]) for p in self.pats]
        self.heads = sorted({x[:n] for s, _, _ in self.names for x in s for n in (3, 4)})
        return {"resources": len(self.ids), "seconds": round(el, 2), "resources_per_s": round(len(self.ids) / el, 1)}
    def sent(self, ref): return msgspec.json.decode(self.ids[ref])
    def packs(self, tag):
        """What the workers of a phase deal from, each every count-th card of a shuffled pack"""
        def pack(kind, xs): return random.Random(f"{self.a.seed}/{tag}/{kind}").sample(xs, min(len(xs), 50_000))
        self.dealt = pack("obs", list(self.byobs)), pack("cond", [(x, y) for x in COND for y in COND if x != y]), pack("everything", self.reads), pack("read", self.allids)
    @staticmethod
    def ref(loc):
        x = loc.split("/_history/")[0].split("/"); return x[-2] + "/" + x[-1]

def uniq(rng, n, key):
    """endless draw without replacement from range(n), reshuffled when used up"""
    while True:
        x = list(range(n)); rng.shuffle(x); yield from x

class Worker:
    def __init__(self, w, cl, phase, tag, idx, count):
        a = w.a; self.w, self.c, self.phase = w, cl, phase
        self.rng = random.Random(f"{a.seed}/{tag}/{idx}"); self.g = Gen(self.rng, a.run_id, f"{tag}-{idx}")
        self.mine = []; self.acked = []; self.maybe = []; self.bundles = []
        self.k_obs, self.k_cond, self.k_ev, self.k_read = (self.deal(xs, idx, count) for xs in w.dealt)
        self.seen = Counter()
    @staticmethod
    def deal(xs, idx, count):
        n, i = len(xs), idx
        while True: yield xs[i % n]; i += count
    # each op returns number of resources handled
    async def read(self):
        ref = next(self.k_read); self.seen[ref] += 1
        st, h, b = await self.c("GET", ref); http(st, b, 200); r = msgspec.json.decode(b)
        need(r.get("id") == ref.split("/")[1], "wrong id"); same(self.w.sent(ref), r); return 1
    async def obs(self):
        pi, code = k = next(self.k_obs); p = self.w.pats[pi]; self.seen[k] += 1
        st, h, b = await self.c("GET", f"Observation?subject={p['ref']}&code={LOINC}%7C{code}&_sort=-date&_count=20"); http(st, b, 200)
        bu, nxt = bundle(b); e = [x["resource"] for x in bu.get("entry", ()) if x.get("search", {}).get("mode", "match") == "match"]
        exp = self.w.byobs[k]; need(len(e) == min(20, len(exp)), f"{len(e)} matches, expected {min(20, len(exp))}")
        ids = {"Observation/" + r["id"] for r in e}; need(len(ids) == len(e) and ids <= {x for _, x in exp}, "wrong or repeated match")
        ds = [r["effectiveDateTime"] for r in e]; need(ds == [d for d, _ in exp[:20]], "wrong order")
        same(self.w.sent("Observation/" + e[0]["id"]), e[0]); need(nxt == (len(exp) > 20), "next link")
        if "total" in bu: need(bu["total"] == len(exp), f"total {bu['total']} expected {len(exp)}")
        return len(e)
    async def cond(self):
        k = x, y = next(self.k_cond); self.seen[k] += 1
        st, h, b = await self.c("GET", f"Condition?code={SCT}%7C{x},{SCT}%7C{y}&_include=Condition:subject&_count=20"); http(st, b, 200)
        bu, nxt = bundle(b); m, inc = [], set()
        for en in bu.get("entry", ()):
            r = en["resource"]
            if r["resourceType"] == "Condition": m.append(r)
            elif r["resourceType"] == "Patient": need(en["search"]["mode"] == "include", "mode"); inc.add("Patient/" + r["id"])
            else: raise Bad("unexpected type " + r["resourceType"])
        exp = dict(self.w.bycond[x]); exp.update(self.w.bycond[y])
        need(all(r["code"]["coding"][0]["code"] in k for r in m), "wrong code")
        got = {"Condition/" + r["id"]: r for r in m}; need(len(got) == len(m), "repeated match")
        subj = {r["subject"]["reference"] for r in m}; need(subj == inc, f"included {len(inc)} of {len(subj)} subjects")
        if self.w.fresh: need(len(m) == min(20, len(exp)) and set(got) <= set(exp), f"{len(m)} matches of {len(exp)}")
        else: need(len(m) >= min(20, len(exp)), f"{len(m)} matches of {len(exp)}")
        if "total" in bu: need(bu["total"] >= len(exp) and (not self.w.fresh or bu["total"] == len(exp)), f"total {bu['total']} expected {len(exp)}")
        return len(m) + len(inc)
    async def pat(self):
        hd = self.rng.choice(self.w.heads); d = day(self.rng, 1930, 2015); self.seen[hd, d] += 1
        st, h, b = await self.c("GET", f"Patient?name={hd}&birthdate=ge{d}&_count=20"); http(st, b, 200)
        bu, nxt = bundle(b); e = [x["resource"] for x in bu.get("entry", ())]
        for r in e:
            need(r["resourceType"] == "Patient" and r["birthDate"] >= d, "birthDate"); nm = r["name"][0]
            need(any(x.lower().startswith(hd) for x in [nm["family"], *nm["given"]]), "name")
        exp = {ref for s, bd, ref in self.w.names if bd >= d and any(x.startswith(hd) for x in s)} if not nxt or "total" in bu else (); got = {"Patient/" + r["id"] for r in e}
        need(len(got) == len(e), "repeated")
        if not nxt: need(exp <= got and (not self.w.fresh or exp == got), f"{len(got)} matches, expected {len(exp)}")
        else: need(len(e) == 20, "short page")
        if "total" in bu: need(bu["total"] >= len(exp) and (not self.w.fresh or bu["total"] == len(exp)), f"total {bu['total']} expected {len(exp)}")
        return len(e)
    async def everything(self):
        p = next(self.k_ev); self.seen[p["ref"]] += 1
        st, h, b = await self.c("GET", f"{p['ref']}/$everything?_count=200"); http(st, b, 200)
        bu, nxt = bundle(b); got = [x["resource"]["resourceType"] + "/" + x["resource"]["id"] for x in bu["entry"]]
        need(not nxt and len(set(got)) == len(got), "paged or repeated"); exp = {p["ref"], *p["own"]}
        need(exp <= set(got), f"{len(exp - set(got))} of {len(exp)} missing"); need(all(x.startswith("Practitioner/") for x in set(got) - exp), "foreign resource")
        return len(got)
    async def create(self):
        p = self.rng.choice(self.w.writes); o = self.g.observation(p["ref"], self.rng.choice(p["enc"]), WRITE_OBS, self.rng.choice(self.w.pref))
        self.maybe.append(p["ref"])
        st, h, b = await self.c("POST", "Observation", o, "Prefer: return=representation\r\n"); http(st, b, 201); r = msgspec.json.decode(b); same(o, r)
        need(self.w.ref(h[b"location"].decode()) == "Observation/" + r["id"], "location"); need(r["meta"]["versionId"] == "1", "version")
        self.maybe.pop(); self.acked.append((p["ref"], "Observation/" + r["id"], o)); self.mine.append(("Observation/" + r["id"], o, 1)); return 1
    async def update(self):
        if not self.mine: return await self.create()
        i = self.rng.randrange(len(self.mine)); ref, o, v = self.mine[i]; o = dict(o, id=ref.split("/")[1]); q = o["valueQuantity"] = dict(o["valueQuantity"]); q["value"] = round(q["value"] + 0.5, 1)
        st, h, b = await self.c("PUT", ref, o, "Prefer: return=representation\r\n"); http(st, b, 200); r = msgspec.json.decode(b); same(o, r)
        need(r["meta"]["versionId"] == str(v + 1), f"version {r['meta']['versionId']} after {v}"); self.mine[i] = (ref, o, v + 1); return 1
    async def bundle(self):
        its = bundle50(self.g); st, h, b = await self.c("POST", "", tx(its)); http(st, b, 200); bu, _ = bundle(b, "transaction-response")
        need(len(bu["entry"]) == 50, "entries"); refs = []
        for (u, r), e in zip(its, bu["entry"]):
            need(e["response"]["status"].startswith("201"), str(e)[:300]); ref = self.w.ref(e["response"]["location"]); need(ref.startswith(r["resourceType"] + "/"), "location type"); refs.append(ref)
        need(len(set(refs)) == 50, "ids not distinct")
        if len(self.bundles) < 20 or self.rng.random() < .1: self.bundles.append((refs, its))
        return 50
    async def mixed(self):
        x = self.rng.random()
        for p, f in ((.40, "read"), (.65, "obs"), (.71, "cond"), (.77, "pat"), (.80, "everything"), (.95, "create"), (1, "update")):
            if x < p: self.last = f; return await getattr(self, f)()

async def run_proc(w, phase, tag, conc, idx0, total, seconds, start):
    """one process's share of a phase"""
    cl = [Client(w.a) for _ in range(conc)]; ws = [Worker(w, c, phase, tag, idx0 + i, total) for i, c in enumerate(cl)]
    await asyncio.sleep(max(0, start - time.time())); t0 = time.perf_counter(); end = t0 + seconds
    lat, errs, first, res, late, kinds = [], Counter(), {}, 0, 0, defaultdict(list)
    c0 = time.process_time()
    async def go(k):
        nonlocal res, late
        f = getattr(k, phase)
        while time.perf_counter() < end:
            try:
                n = await f()
                if k.c.t[1] <= end: lat.append((k.c.t[1] - k.c.t[0]) * 1e3); res += n
                else: late += 1
                if phase == "mixed": kinds[k.last].append((k.c.t[1] - k.c.t[0]) * 1e3)
            except (Bad, Broken, OSError, KeyError, ValueError, IndexError, TypeError) as e:
                m = f"{type(e).__name__}: {e}"; key = (phase if phase != "mixed" else getattr(k, "last", "?")) + ": " + m[:28]; errs[key] += 1; first.setdefault(key, m[:900])
                await asyncio.sleep(0.002)
    await asyncio.gather(*(go(k) for k in ws)); cpu = time.process_time() - c0
    for c in cl: c.close()
    seen = Counter()
    for k in ws: seen.update(map(str, k.seen))
    return {"lat": lat, "errs": dict(errs), "first": first, "res": res, "late": late, "kinds": dict(kinds), "cpu": cpu, "wire": sum(c.wire for c in cl), "distinct": len(seen),
        "acked": [x for k in ws for x in k.acked], "maybe": [x for k in ws for x in k.maybe], "bundles": [x for k in ws for x in k.bundles], "upd": [m for k in ws for m in k.mine if m[2] > 1]}

# ---------------------------------------------------------------- /proc
HZ = os.sysconf("SC_CLK_TCK")
def tree(roots):
    kids = defaultdict(list)
    for d in os.listdir("/proc"):
        if d.isdigit():
            try: kids[int(open(f"/proc/{d}/stat").read().rsplit(")", 1)[1].split()[1])].append(int(d))
            except OSError: pass
    out, st = [], list(roots)
    while st:
        p = st.pop(); out.append(p); st += kids[p]
    return out
def proc(roots):
    cpu = rss = pss = hwm = 0
    for p in tree(roots):
        try:
            f = open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split(); cpu += sum(map(int, f[11:15])) / HZ
            for l in open(f"/proc/{p}/status"):
                if l.startswith("VmRSS"): rss += int(l.split()[1])
                if l.startswith("VmHWM"): hwm += int(l.split()[1])
            for l in open(f"/proc/{p}/smaps_rollup"):
                if l.startswith("Pss:"): pss += int(l.split()[1])
        except OSError: pass
    return {"cpu": cpu, "rss_mb": round(rss / 1024, 1), "pss_mb": round(pss / 1024, 1), "hwm_mb": round(hwm / 1024, 1)}
def settled(a):
    """Wait until the server has done what it put off (anchoring, indexing): seconds it took, CPU seconds it cost."""
    if not a.settle or not a.pids: return None
    first = last = proc(a.pids)["cpu"]; t0 = quiet = time.time()
    while time.time() < t0 + a.settle:
        time.sleep(0.5); now = proc(a.pids)["cpu"]
        if now - last > 0.1: quiet = time.time()   # a fifth of a core
        last = now
        if time.time() - quiet >= 1.5: break
    return {"seconds": round(quiet - t0, 2), "cpu_s": round(last - first, 2)}
def busy():
    f = list(map(int, open("/proc/stat").readline().split()[1:9])); return (sum(f) - f[3] - f[4]) / HZ, f[7] / HZ   # busy incl. steal, steal
def load(): return open("/proc/loadavg").read().split()[:3]

def pct(v, q):
    return round(v[min(len(v) - 1, int(len(v) * q))], 3) if v else None
def lats(v):
    v = sorted(v); return {"n": len(v), "mean": round(sum(v) / len(v), 3) if v else None, "p50": pct(v, .5), "p95": pct(v, .95), "p99": pct(v, .99), "max": round(v[-1], 3) if v else None}

async def recount(w, acked, maybe, bundles, upd, base):
    """after a write phase: is what was acknowledged really there?"""
    c = Client(w.a); rng = random.Random(1); bad, first, n = 0, None, 0
    for ref, *_ in acked:
        base["count"][ref] += 1
    for ref in maybe: base["slack"][ref] += 1
    async def chk(f):
        nonlocal bad, first, n
        n += 1
        try: await f
        except (Bad, Broken, KeyError, ValueError) as e: bad += 1; first = first or str(e)[:300]
    cur = {m[0]: m for m in upd}
    async def one(x):
        st, h, b = await c("GET", x[1]); http(st, b, 200); r = msgspec.json.decode(b); m = cur.get(x[1]); same(m[1] if m else x[2], r)
        if m: need(r["meta"]["versionId"] == str(m[2]), "version after updates")
    async def tot(ref):
        st, h, b = await c("GET", f"Observation?subject={ref}&_summary=count&_total=accurate", None, "Cache-Control: no-cache\r\n"); http(st, b, 200); t = msgspec.json.decode(b)["total"]; x = base["count"][ref]
        need(x <= t <= x + base["slack"][ref], f"{ref}: {t} stored, {x} acknowledged")
    async def bun(refs, its):
        m = {u: r for (u, _), r in zip(its, refs)}
        for j in (0, 1, 5, 20, 49):
            st, h, b = await c("GET", refs[j]); http(st, b, 200); r = msgspec.json.decode(b); s = msgspec.json.decode(msgspec.json.encode(its[j][1]))
            for k in ("subject", "encounter"):
                if k in s: s[k] = {"reference": m[s[k]["reference"]]}
            same(s, r)
    for x in rng.sample(acked, min(60, len(acked))): await chk(one(x))
    if acked:
        for p in rng.sample(w.writes, min(15, len(w.writes))): await chk(tot(p["ref"]))
    for x in rng.sample(bundles, min(8, len(bundles))): await chk(bun(*x))
    c.close(); return {"checks": n, "failed": bad, "first": first}

def child(q, *a):
    q.send(asyncio.run(run_proc(*a))); q.close()

def phase(w, a, name_, conc, seconds, base, record=True):
    tag = f"{name_}-{conc}-{'m' if record else 'w'}"; w.packs(tag); k = min(a.procs, conc); ctx = multiprocessing.get_context("fork")
    shares = [conc // k + (i < conc % k) for i in range(k)]; start = time.time() + 0.3; la0 = load(); ps, off = [], 0
    for s in shares:
        r, t = ctx.Pipe(False); p = ctx.Process(target=child, args=(t, w, name_, tag, s, off, conc, seconds, start)); p.start(); t.close(); ps.append((p, r)); off += s
    time.sleep(max(0, start - time.time())); p0 = proc(a.pids); b0 = busy(); t0 = time.time()
    time.sleep(max(0, start + seconds - time.time())); p1 = proc(a.pids); b1 = busy(); el = time.time() - t0
    rs = [r.recv() for _, r in ps]
    for p, _ in ps: p.join()
    lat = [x for r in rs for x in r["lat"]]; errs, first, kinds = Counter(), {}, defaultdict(list)
    for r in rs:
        errs.update(r["errs"])
        for x, y in r["first"].items(): first.setdefault(x, y)
        for x, y in r["kinds"].items(): kinds[x] += y
    res = sum(r["res"] for r in rs); ccpu = sum(r["cpu"] for r in rs); scpu = p1["cpu"] - p0["cpu"]
    out = {"phase": name_, "concurrency": conc, "procs": k, "seconds": seconds, "ops": len(lat), "ops_per_s": round(len(lat) / seconds, 1), "resources_per_s": round(res / seconds, 1),
        "latency_ms": lats(lat), "late": sum(r["late"] for r in rs), "errors": sum(errs.values()), "error_kinds": dict(errs.most_common(8)), "first_error": first,
        "kb_in_per_op": round(sum(r["wire"] for r in rs) / max(1, len(lat)) / 1024, 2), "distinct_params": sum(r["distinct"] for r in rs) or None,
        "client_cpu_s": round(ccpu, 2), "client_cpu_us_per_op": round(ccpu * 1e6 / max(1, len(lat)), 1), "loadavg_before": la0,
        "machine_busy_s": round(b1[0] - b0[0], 2), "steal_s": round(b1[1] - b0[1], 2)}
    if a.pids:
        out["server"] = {"cpu_s": round(scpu, 2), "cpu_ms_per_op": round(scpu * 1e3 / max(1, len(lat)), 3), "cores": round(scpu / el, 2), **{x: p1[x] for x in ("rss_mb", "pss_mb", "hwm_mb")}}
        out["others_cpu_s"] = round(b1[0] - b0[0] - scpu - ccpu, 2)
    if kinds: out["by_kind"] = {x: lats(y) for x, y in kinds.items()}
    acked = [x for r in rs for x in r["acked"]]; maybe = [x for r in rs for x in r["maybe"]]; bun = [x for r in rs for x in r["bundles"]]; upd = [x for r in rs for x in r["upd"]]
    if not a.no_recount and (acked or bun): out["recount"] = asyncio.run(recount(w, acked, maybe, bun, upd, base))
    return out

PHASES = ["create", "bundle", "read", "obs", "cond", "pat", "everything", "mixed"]

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--base", required=True); ap.add_argument("--token"); ap.add_argument("--token-file", help="read again every 30 seconds: tokens run out"); ap.add_argument("--header", action="append", default=[])
    ap.add_argument("--seconds", type=float, default=20); ap.add_argument("--concurrency", default="8", help="one, or a list such as 1,8,32 (one population, phases at each)")
    ap.add_argument("--seed", type=int, default=1); ap.add_argument("--out", default="result.json"); ap.add_argument("--pid", default="", help="server's root pids, comma separated; descendants are counted")
    ap.add_argument("--procs", type=int, default=1); ap.add_argument("--patients", type=int, default=400); ap.add_argument("--phases", default=",".join(PHASES))
    ap.add_argument("--warmup", type=float, default=0, help="seconds per phase at concurrency 8, not recorded"); ap.add_argument("--timeout", type=float, default=60)
    ap.add_argument("--settle", type=float, default=0, help="after each phase wait up to so many seconds until the server is idle; needs --pid")
    ap.add_argument("--run-id"); ap.add_argument("--insecure", action="store_true"); ap.add_argument("--no-recount", action="store_true"); ap.add_argument("--load-concurrency", type=int, default=4); ap.add_argument("--label", default="")
    ap.add_argument("--preload", help="store all but the patients that are written to straight into this organisation's database (bench/preload.py)")
    a = ap.parse_args(); a.run_id = a.run_id or f"{a.seed}-{int(time.time()):x}"; a.pids = [int(x) for x in a.pid.split(",") if x]
    host = urllib.parse.urlsplit(a.base).hostname
    if host not in ("127.0.0.1", "localhost", "::1"): sys.exit("loopback servers only")
    if a.preload: global preload; import preload
    w = World(a); R = {"label": a.label, "args": {k: v for k, v in vars(a).items() if k != "token"}, "started": time.strftime("%FT%TZ", time.gmtime()), "loadavg": load(), "phases": []}
    async def setup():
        cl = [Client(a) for _ in range(a.load_concurrency)]
        st, h, b = await cl[0]("GET", "Patient?_summary=count&_total=accurate", None, "Cache-Control: no-cache\r\n"); http(st, b, 200); t = msgspec.json.decode(b); need(t.get("resourceType") == "Bundle", "count"); w.fresh = t["total"] == 0
        p0 = proc(a.pids)
        if a.preload:
            with preload.opened(a.preload) as direct: r = await w.load(cl, direct, preload.AT_ONCE)
        else: r = await w.load(cl)
        p1 = proc(a.pids)
        if a.pids: r["server_cpu_s"] = round(p1["cpu"] - p0["cpu"], 2); r["rss_mb"] = p1["rss_mb"]
        for c in cl: c.close()
        return r
    R["load"] = asyncio.run(setup()); R["fresh"] = w.fresh; print("load", R["load"], "fresh" if w.fresh else "not fresh", flush=True)
    base = {"count": Counter(), "slack": Counter()}
    if a.warmup:
        for p in a.phases.split(","):
            r = phase(w, a, p, 8, a.warmup, base, False); print("warm", p, r["ops_per_s"], r["errors"], *list(r["first_error"].values())[:1], flush=True)
    R["load"]["after"] = settled(a)
    for c in map(int, a.concurrency.split(",")):
        for p in a.phases.split(","):
            r = phase(w, a, p, c, a.seconds, base); r["after"] = settled(a); R["phases"].append(r); l = r["latency_ms"]
            print(f"c={c:<3}{p:<11}{r['ops_per_s']:>9} op/s {r['resources_per_s']:>9} res/s  p50 {l['p50']} p95 {l['p95']} p99 {l['p99']}  err {r['errors']} distinct {r['distinct_params']}"
                f" cli {r['client_cpu_us_per_op']}us/op srv {r.get('server', {}).get('cpu_ms_per_op')}ms/op rss {r.get('server', {}).get('rss_mb')} others {r.get('others_cpu_s')}s after {r['after']} recount {r.get('recount')} la {r['loadavg_before'][0]}"
                + (f"\n    {list(r['first_error'].values())[:2]}" if r["errors"] else ""), flush=True)
            open(a.out, "wb").write(msgspec.json.format(msgspec.json.encode(R), indent=2))
    R["ended"] = time.strftime("%FT%TZ", time.gmtime()); open(a.out, "wb").write(msgspec.json.format(msgspec.json.encode(R), indent=2))

if __name__ == "__main__": main()
