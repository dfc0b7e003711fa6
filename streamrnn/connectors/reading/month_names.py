"""The names of the months, in full and cut, as people write them in some thirty languages."""

from __future__ import annotations

_NAMES = (
    "jan january januar janvier janv enero gennaio januari janeiro ene genn gen sty styczeń stycznia led leden "
    "ledna tammi tammikuu tammikuuta jänner jaenner január januára janúar gener ian ianuarie jaanuar ocak oca "
    "янв январь января січень січня януари јануар ιαν ιανουάριος ιανουαρίου يناير",
    "feb february februar février fevrier febrero febbraio februari fevereiro févr fév fev lut luty lutego úno "
    "únor února helmi helmikuu helmikuuta feber február februára febr febrúar febrer februarie veebruar şubat "
    "şub фев февр февраль февраля лютий лютого февруари фебруар φεβ φεβρουάριος φεβρουαρίου فبراير",
    "mar march märz maerz mars marzo maart março marco mär mrz mrt marzec marca bře březen března maalis "
    "maaliskuu maaliskuuta marts maret március márc marec marcius març martie märts mart мар март марта "
    "березень березня μαρ μάρτιος μαρτίου مارس",
    "apr april avril abril aprile avr abr kwi kwiecień kwietnia dub duben dubna huhti huhtikuu huhtikuuta "
    "április ápr apríl apríla aprilie aprill nisan nis апр апрель апреля квітень квітня април απρ απρίλιος "
    "απριλίου أبريل",
    "may mai mayo maggio mei maio mag maj maja kvě květen května touko toukokuu toukokuuta május máj mája maí "
    "maig mayıs май мая травень травня мај μαϊ μάιος μαΐου مايو",
    "jun june juni juin junio giugno junho giu cze czerwiec czerwca čvn červen června kesä kesäkuu kesäkuuta "
    "június jún júna júní juny iunie iun juuni junij junija haziran haz июн июнь июня червень червня юни јун "
    "ιουν ιούνιος ιουνίου يونيو",
    "jul july juli juillet juil julio luglio julho lug lip lipiec lipca čvc červenec července heinä heinäkuu "
    "heinäkuuta július júl júla júlí juliol iulie iul juuli julij julija temmuz tem июл июль июля липень липня "
    "юли јул ιουλ ιούλιος ιουλίου يوليو",
    "aug august août aout agosto augustus ago augusti sie sierpień sierpnia srp srpen srpna elo elokuu "
    "elokuuta agustus augusztus augusta ágúst agost avgust avgusta ağustos ağu авг август августа серпень "
    "серпня αυγ αύγουστος αυγούστου أغسطس",
    "sep sept september septembre septiembre settembre setembro set wrz wrzesień września zář září syys "
    "syyskuu syyskuuta szeptember szept septembra setembre septembrie septembar eylül eyl сен сент сентябрь "
    "сентября вересень вересня септември септембар σεπ σεπτέμβριος σεπτεμβρίου سبتمبر",
    "oct october oktober octobre octubre ottobre outubro okt ott out paź październik października říj říjen "
    "října loka lokakuu lokakuuta október októbra octombrie oktoober oktobar ekim eki окт октябрь октября "
    "жовтень жовтня октомври октобар οκτ οκτώβριος οκτωβρίου أكتوبر",
    "nov november novembre noviembre novembro lis listopad listopadu listopada marras marraskuu marraskuuta "
    "novembra nóvember noiembrie novembar kasım kas ноя нояб ноябрь ноября листопад листопада ноември новембар "
    "νοε νοέμβριος νοεμβρίου نوفمبر",
    "dec december dezember dez décembre decembre diciembre dicembre dezembro déc dic des gru grudzień grudnia "
    "pro prosinec prosince joulu joulukuu joulukuuta desember decembra desembre decembrie detsember decembar "
    "aralık ara дек декабрь декабря грудень грудня декември децембар δεκ δεκέμβριος δεκεμβρίου ديسمبر",
)
MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
"""Months by their names in small letters.

Croatian ones are left out: its October is what Polish and Czech call November.
"""
