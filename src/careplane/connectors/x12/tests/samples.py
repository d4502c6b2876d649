"""Synthetic X12 files for tests: nobody in them exists."""

ISA = "ISA*00*          *00*          *ZZ*PAYER          *ZZ*PROVIDER       *260301*1200*^*00501*000000001*0*T*:~\n"


def enveloped(kind: str, group: str, guide: str, body: str) -> str:
    """A body in its envelopes, with the right counts."""
    segments = [line for line in body.strip().splitlines() if line]
    whole = "\n".join(segments)
    return (
        f"{ISA}GS*{group}*PAYER*PROVIDER*20260301*1200*1*X*{guide}~\nST*{kind}*0001*{guide}~\n{whole}\n"
        f"SE*{len(segments) + 2}*0001~\nGE*1*1~\nIEA*1*000000001~\n"
    )


ERA = enveloped(
    "835",
    "HP",
    "005010X221A1",
    """
BPR*I*150*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880*DA*98765*20260301~
TRN*1*12345*1512345678~
DTM*405*20260228~
N1*PR*SYNTHETIC PAYER~
N1*PE*SYNTHETIC CLINIC*XX*1999999984~
LX*1~
CLP*CLAIM1*1*200*160*20*12*PAYERCTRL1*11*1~
NM1*QC*1*Smithson*Ottoline****MI*ABC123~
SVC*HC:99213*200*160**1~
DTM*472*20260210~
CAS*CO*45*20~
CAS*PR*1*20~
CLP*CLAIM2*4*100*0**12*PAYERCTRL2*11*1~
CAS*CO*197*60*1*16*40~
NM1*QC*1*Roe*Richard****MI*ABC124~
PLB*1999999984*20261231*FB:X1*10~
""",
)

CLAIMS = enveloped(
    "837",
    "HC",
    "005010X222A1",
    """
BHT*0019*00*1*20260212*1200*CH~
HL*1**20*1~
HL*2*1*22*0~
NM1*PR*2*SYNTHETIC PAYER*****PI*60054~
CLM*CLAIM1*250.5***11:B:1*Y*A*Y*Y~
LX*1~
SV1*HC:99213*200*UN*1***1~
LX*2~
SV1*HC:81002*50.5*UN*1***1~
""",
)
