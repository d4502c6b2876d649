"""Short forms of English and Spanish given names: common knowledge, not complete."""

from functools import lru_cache

_GROUPS = """
abigail:abby,abbie,gail;abraham:abe,bram;adam:ad;adeline:addie,ada;agnes:aggie,nessie;alan:al;albert:al,bert,bertie
alberto:beto;alejandro:alex,ale,jandro;alexander:alex,al,xander,sandy,lex,sasha;alexandra:alex,lexi,sandra,sandy,alexa
alexis:alex,lexi;alfred:al,fred,alfie,freddy;alice:ali,allie;alicia:ali,lisa;allison:ali,allie;amanda:mandy,manda
amelia:amy,millie,mia;andrea:andi,andie,drea;andrew:andy,drew;angela:angie,ang,angel;angelina:angie,lina;ann:annie,nan
anna:ann,annie;anne:annie,ann;anthony:tony,ant;antonia:toni,tonia;antonio:tony,toño;arnold:arnie;arthur:art,artie
ashley:ash;barbara:barb,barbie,babs,bobbie;bartholomew:bart;beatrice:bea,trixie;benjamin:ben,benny,benji,benjy
bernard:bernie;bernadette:bernie,detta;beth:betty;bethany:beth;beverly:bev;bradley:brad;bradford:brad;brandon:bran
brenda:bren;brendan:bren;brian:bri;bridget:biddy,bridie;brittany:britt;bruce:brucie;caleb:cal;calvin:cal;cameron:cam
carl:charlie;carla:carly;carlos:charlie,litos;carol:carrie;caroline:carrie,caro,carol,lina;carolyn:carrie,lynn,carol
cassandra:cass,cassie,sandy,sandra;catherine:cathy,cath,kate,katie,cat,kitty,kay;cecilia:cece,cissy,celia
charles:charlie,chuck,chas,chaz,chip,charley;charlotte:charlie,lottie,char,lotte;chelsea:chels;cheryl:cher,sherry
chester:chet;christian:chris;christina:chris,chrissy,tina,christy;christine:chris,chrissy,tina,christy,chrissie
christopher:chris,kit,topher;cindy:cyn;claire:clairey;clara:clare;clarence:clancy;clifford:cliff;clifton:cliff
clinton:clint;constance:connie;cornelius:neil,con;courtney:court;craig:craigie;crystal:crys;curtis:curt;cynthia:cindy
daniel:dan,danny,dani;daniela:dani;danielle:dani,danny,ellie;david:dave,davey,davy;deborah:deb,debbie,debby,debra
debra:deb,debbie,debby;denise:denny;dennis:denny,den;derek:der;diana:di,dee;diane:di,dee;dolores:lola,dolly,lolly
dominic:dom,nick;donald:don,donny,donnie;donna:dee;dorothy:dot,dottie,dolly,dory,dee;douglas:doug,dougie
dwight:ike;edgar:ed,eddie,ned;edith:edie;edmund:ed,eddie,ned,ted;edward:ed,eddie,ted,teddy,ned,eddy;edwin:ed,eddie
eileen:leenie;elaine:lainie,ellie;eleanor:ellie,nell,nora,ella,lena;elena:lena,ellie;elijah:eli;elisa:lisa
elizabeth:liz,lizzie,beth,betty,eliza,betsy,lisa,libby,bess,bessie,ellie,lizzy,lilibet,buffy;ellen:ellie,nell
emily:em,emmy,emmie,millie;emma:em,emmy;emmanuel:manny;enrique:kike,quique,henry;eric:rick,ricky;erica:ricki
erin:er;ernest:ernie;esther:essie,hettie;ethan:eth;eugene:gene;eugenia:genie,gena;evelyn:eve,evie,lyn;ezekiel:zeke
fernando:nando,fer;florence:flo,flossie,florrie;frances:fran,frannie,francie,fanny;francesca:fran,frankie,chess
francis:frank,fran,frankie;francisco:paco,pancho,frank,cisco;franklin:frank,frankie;frank:frankie
frederick:fred,freddy,freddie,rick,fritz;gabriel:gabe,gabby;gabriela:gabby,gabi;gabrielle:gabby,gabi,elle
gary:gaz;genevieve:gen,genny,viv;geoffrey:geoff,jeff;george:georgie;georgia:georgie;gerald:gerry,jerry
geraldine:gerry,jerry;gerard:gerry,jerry;gilbert:gil,bert;gloria:glo;gordon:gordie;grace:gracie;gregory:greg
guadalupe:lupe,lupita;guillermo:memo,willy,will;gwendolyn:gwen,wendy;hannah:hanna;harold:hal,harry;harriet:hattie,harry
harry:hal;heather:hev;hector:heck;helen:nell,nellie,lena;henry:hank,harry,hal,hen;herbert:herb,bert,herbie;holly:hol
howard:howie;hubert:hugh,bert;ian:eean;ignacio:nacho;irene:rene,renie;irving:irv;isaac:ike,zac;isabel:izzy,bella,belle
isabella:izzy,bella,belle,isa;isaiah:ike;jack:jackie,jacky;jacob:jake,jay;jacqueline:jackie,jacqui;james:jim,jimmy,jamie,jem,jimbo
jane:janie,jenny,janey;janet:jan;janice:jan;jason:jay,jase;jasmine:jaz,jazzy;jean:jeanie;jeanette:jean,nettie
jeffrey:jeff,geoff;jennifer:jen,jenny,jenn,jenna;jeremiah:jerry,jem;jeremy:jerry,jem,jez;jerome:jerry;jesse:jess
jessica:jess,jessie;jesus:chuy;jill:jilly;joan:joanie;joanna:jo,joey,joanie;joanne:jo;joe:joey;joel:joe
john:jack,johnny,jon,jackie,jock;jonathan:jon,jonny,nathan,johnny,john;jordan:jordy;jorge:coque,george
jose:pepe,joe,chepe;joseph:joe,joey,jos;josefina:josie,fina,pepa;josephine:jo,josie,josey,fifi;joshua:josh;joyce:joy
juan:juanito,johnny;juana:juanita;judith:judy,jude,judi;julia:julie,jules;julian:jules;juliana:julie,jules
julie:jules;julio:jules;justin:jus;karen:kari;katelyn:kate,katie;katherine:kate,katie,kathy,kat,kay,kit,kitty,kathie
kathleen:kathy,kate,katie,kath,kat,kay;kathryn:kate,katie,kathy,kat,kay;katrina:kat,trina;kayla:kay;keith:keithy
kelly:kel;kenneth:ken,kenny;kevin:kev;kimberly:kim,kimmy,kimberley;kristen:kris,kristy;kristin:kris,kristy
kristina:kris,tina,krissy;kyle:ky;larry:laz;laura:laurie,lori;lauren:laurie,ren;laurence:larry,laurie
lawrence:larry,laurie,lars,lawrie;leah:lee;leo:lee;leonard:leo,len,lenny;leonardo:leo;leslie:les;lester:les
lewis:lew,lou;lillian:lil,lily,lilly;linda:lin,lindy;lisa:lis;lois:lo;loretta:etta,lori;lori:lo;louis:lou,louie
louise:lou;lucas:luke;lucille:lucy,lu;lucinda:lucy,cindy;lucy:lu,luce;luis:lou,lucho;lydia:lyddie;lynn:lyn
mackenzie:mac,kenzie;madeline:maddie,maddy,lina;madison:maddie,maddy;manuel:manny,manolo;marcus:marc,mark
margaret:maggie,meg,peggy,marge,margie,greta,peg,rita,daisy,madge,maisie,megan;margarita:rita,margo,mago;maria:mia,mary,marie,ria
marie:mary,rie;marilyn:mary,lyn;marion:mary;marjorie:marge,margie,marj;mark:marky;marshall:marsh;martha:marty,mattie,patty
martin:marty,mart;marvin:marv;mary:molly,mamie,polly,may,maria,mae;mason:mase;matilda:tilly,mattie;matthew:matt,matty,mat
maureen:mo,reenie;maurice:mo,maury;maximilian:max;maxwell:max;megan:meg,meggie;melanie:mel;melinda:mel,mindy,lindy
melissa:mel,lissa,missy;mercedes:mercy;meredith:merry;michael:mike,mick,mickey,mikey,micky,mitch
michelle:shelly,mickey,chelle,shell,micki;miguel:mike,migue;mildred:millie;miranda:mandy,randy,mira;miriam:mimi
mitchell:mitch;molly:moll;monica:mon,moni;morgan:mo;morris:morrie,mo;nancy:nan,nance;natalie:nat,nattie
natasha:tasha,nat;nathan:nate,nat;nathaniel:nate,nat,nathan;nicholas:nick,nicky,nico;nicole:nicky,nikki,nic,colie
nicolas:nick,nico;noah:noe;nora:norrie;norma:normie;norman:norm;octavia:tavy;oliver:ollie,olly;olivia:liv,livvy,ollie
oscar:ozzie;pamela:pam,pammy;patricia:pat,patty,trish,tricia,patti,trisha;patrick:pat,paddy,rick,patty;paul:paulie,pauly
paula:paulie;pauline:paula,polly;pedro:pete,perico;penelope:penny,nell;peter:pete,petey;philip:phil,pip,phillip
phillip:phil,pip,philip;phyllis:phyl;priscilla:cilla,prissy;rachel:rach,rae,ray;rafael:rafa,ralph;ralph:ralphie
ramon:moncho,ray;randall:randy,rand;raymond:ray;raymundo:mundo;rebecca:becky,becca,beck,reba;regina:gina,reggie
reginald:reggie,reg,rex;renee:ren;ricardo:rick,ricky,richie;richard:rick,dick,rich,richie,ricky,rickie,ritchie
robert:rob,bob,bobby,robbie,bert,robby,bobbie;roberta:bobbie,robbie,berta;roberto:beto,rob,bob;robin:rob
rodney:rod;rodolfo:rudy,fito;roger:rog;roland:rollie;ronald:ron,ronnie,ronny;rosa:rosie,rosita;rosalind:roz,rosie
rose:rosie;rosemary:rose,rosie,romy,ro;roy:leroy;russell:russ,rusty;ruth:ruthie;ryan:ry;sally:sal;salvador:sal,chava
salvatore:sal;samantha:sam,sammy,sammie;samuel:sam,sammy;sandra:sandy,sandi;santiago:santi,chago,diego
sarah:sally,sadie,sare;sara:sally,sadie;scott:scotty,scottie;sean:shawn;sebastian:seb,bastian;sergio:checo
seth:sethie;sharon:shari,shaz;shawn:sean;sheila:shell;shirley:shirl,lee;sidney:sid,syd;simon:si;sofia:sofi
sophia:sophie,soph;sophie:soph;spencer:spence;stacy:stace;stanley:stan;stella:stel;stephanie:steph,stephie,stevie,annie
stephen:steve,stevie,steph;steven:steve,stevie;stewart:stew,stu;stuart:stu;susan:sue,susie,suzy,suzie,susy
susanna:sue,susie,anna;suzanne:sue,suzy,suzie,anne;sylvia:syl,sylvie;tamara:tammy,tam;tammy:tam;tanya:tan
taylor:tay;teresa:terry,tess,terri,tracy,resa,tessa;terrence:terry;terry:tel;thelma:tel;theodore:ted,teddy,theo
theresa:terry,tess,terri,tracy,tessa;thomas:tom,tommy,thom;tiffany:tiff,tiffy;timothy:tim,timmy;tina:tee
tobias:toby;todd:toddy;tracy:trace;travis:trav;tyler:ty;valerie:val;vanessa:ness,nessa,van;vernon:vern;veronica:ronnie,roni,vera
vicente:chente,vince;victor:vic,vick;victoria:vicky,tori,vickie,vikki,vic;vincent:vince,vinny,vin,vinnie;viola:vi
violet:vi;virginia:ginny,ginger,gina;vivian:viv;wallace:wally;walter:walt,wally,wat;wanda:wan;warren:ren
wendy:wen;wesley:wes;wilfred:will,fred,wilf;william:will,bill,billy,willie,liam,willy,wills;winifred:winnie,freddie
winston:win;xavier:xavi;yolanda:yoli,yola;yvonne:vonnie,evie;zachary:zach,zack,zac;zoe:zo
"""


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[str, ...]]:
    """From each name to the others of its groups; a short form leads to its full names, not to their other forms."""
    out: dict[str, dict[str, None]] = {}
    for group in _GROUPS.replace("\n", ";").split(";"):
        full, _, shorts = group.partition(":")
        for short in filter(None, shorts.split(",")):
            out.setdefault(full, {})[short] = None
            out.setdefault(short, {})[full] = None
    return {name: tuple(others) for name, others in out.items()}


def nicknames(name: str) -> tuple[str, ...]:
    """The short forms of a given name, or the full forms of a short one; empty when none is known."""
    return _table().get(name.strip().lower(), ())
